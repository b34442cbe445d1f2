# Generated from examples/knowledge_bases_async.py by scripts/unasync.py: edit that file.

"""Knowledge bases: documents put in, searched, taken out.

Run it with `python examples/knowledge_bases_sync.py`.
"""

from opening import open_client

DOCUMENTS = [
    ("tea.md", b"Green tea is brewed at eighty degrees, for two minutes."),
    ("茶.md", "绿茶用八十度的水冲泡两分钟。红茶用沸水冲泡四分钟。".encode()),
]


def main() -> None:
    with open_client() as client:
        bases = client.knowledge_bases
        base = bases.create("Tea 茶", chunk_size=200, chunk_overlap=0)
        try:
            bases.upload_documents(base.kb_id, DOCUMENTS, wait=True)
            documents = bases.list_documents(base.kb_id)
            for document in documents:
                print(f"{document.filename}: {document.processing_status}, {document.chunk_count} passages")

            # Scores say how likely a passage answers the question, 0 to 1. Between languages they are lower,
            # so the threshold, 0.7 if left out, is lower here.
            found = bases.search("红茶怎么泡？", base.kb_id, top_k=2, similarity_threshold=0.4)
            for passage in found.results:
                print(f"  {passage.similarity_score:.2f} {passage.metadata['filename']}: {passage.content}")

            bases.delete_document(base.kb_id, documents[0].doc_id)
            base = bases.get(base.kb_id)
            print(base.document_count, "document is left")
        finally:
            bases.delete(base.kb_id)


if __name__ == "__main__":
    main()
