"""Files: uploaded, listed, downloaded, deleted. Run it with `python examples/files_example.py`."""

from basic_usage import open_client


def main() -> None:
    with open_client() as client:
        # A path, bytes with a name, or an open file; sent in blocks, whatever its size.
        file = client.files.upload(
            ("报告.txt", "第一章\n".encode() * 100_000),
            on_progress=lambda sent, total: print(f"  {sent} of {total} bytes"),
        )
        print(file.file_id, file.filename, file.content_type, file.size)

        for each in client.files.list(per_page=3):
            print(f"  {each.created_at:%Y-%m-%d %H:%M} {each.filename}")

        print(client.files.download(file.file_id, "copy.txt"))  # goes on where it stopped, and is verified
        print(len(client.files.download(file.file_id).read()), "bytes")

        text = client.invoke("document_processing", {"file_id": file.file_id})
        print(text.output["chunk_count"], "passages")
        client.files.delete(file.file_id)


if __name__ == "__main__":
    main()
