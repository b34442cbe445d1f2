"""Questions to your own documents, in Chinese and English.

Run it with `python examples/knowledge_base_rag.py`.
"""

from opening import open_client

HANDBOOK = """# Leave

Every employee has twenty-five days of paid leave a year. Leave that was not taken by March is lost.

# Travel

Train tickets are booked by the office. Hotels may cost up to 140 euros a night.
"""
REFUNDS = """# 退款说明

收到退货后，我们会在七个工作日内把款项退回原支付账户。

# 运费

订单满九十九元免运费，不满则收取十元。
"""


def main() -> None:
    with open_client() as client:
        base = client.knowledge_bases.create("Handbook 手册", chunk_size=200, chunk_overlap=0)
        try:
            documents = [("handbook.md", HANDBOOK.encode()), ("退款.md", REFUNDS.encode())]
            client.knowledge_bases.upload_documents(base.kb_id, documents, wait=True)
            for document in client.knowledge_bases.list_documents(base.kb_id):
                print(f"{document.filename}: {document.processing_status}, {document.chunk_count} passages")

            # What is found, and how likely it answers the question (0–1; below 0.7 is left out).
            for question in ("How many days of paid leave are there?", "退款多久到账？"):
                best = client.knowledge_bases.search(question, base.kb_id).results[0]
                print(
                    f"{question}\n  {best.similarity_score:.2f} {best.metadata['filename']}: {best.content!r}"
                )

            # An answer from what was found, with its sources.
            answer = client.knowledge_bases.ask("How much may a hotel cost?", base.kb_id, max_tokens=60)
            print(answer.text.strip())
            for source in answer.sources:
                print(f"  from {source.metadata['filename']}")
        finally:
            client.knowledge_bases.delete(base.kb_id)


if __name__ == "__main__":
    main()
