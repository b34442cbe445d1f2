"""Files: uploaded, listed, downloaded, deleted. Run it with `python examples/files_async.py`."""

import asyncio

from opening import async_open_client


async def main() -> None:
    async with await async_open_client() as client:
        # A path, bytes with a name, or an open file; sent in blocks, whatever its size.
        file = await client.files.upload(
            ("报告.txt", "第一章\n".encode() * 100_000),
            on_progress=lambda sent, total: print(f"  {sent} of {total} bytes"),
        )
        print(file.file_id, file.filename, file.content_type, file.size)

        for each in await client.files.list(per_page=3):
            print(f"  {each.created_at:%Y-%m-%d %H:%M} {each.filename}")

        # To a path: goes on where it broke off, and appears there only when it is whole and verified.
        print(await client.files.download(file.file_id, "copy.txt"))

        processed = await client.invoke("document_processing", {"file_id": file.file_id})
        print(processed.output["chunk_count"], "passages")
        await client.files.delete(file.file_id)


if __name__ == "__main__":
    asyncio.run(main())
