"""A text read aloud, and the recording written down. Run it with `python examples/audio_async.py`.

It needs `nexusai models pull kokoro-82m` and `nexusai models pull whisper-base`, or a provider that has both.
"""

import asyncio

from opening import async_open_client

TEXTS = {"af_heart": "The library opens at nine.", "zf_xiaoxiao": "图书馆早上九点开门。"}


async def main() -> None:
    async with await async_open_client() as client:
        for voice, text in TEXTS.items():
            spoken = await client.audio.synthesize(text, voice=voice, format="wav")
            path = await spoken.save(f"{voice}.wav")
            print(f"{path}: {spoken.duration:.1f} s")

        # A path, bytes, an open file, or the `file_id` of an upload; of any length.
        heard = await client.audio.transcribe(
            path, on_progress=lambda task: print(f"  {task.progress or 0} %")
        )
        for segment in heard.segments:
            print(f"  [{heard.language}] {segment.start:.1f}-{segment.end:.1f} s: {segment.text.strip()}")


if __name__ == "__main__":
    asyncio.run(main())
