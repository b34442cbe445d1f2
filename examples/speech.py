"""A text read aloud, and a recording written down. Run it with `python examples/speech.py`.

It needs `nexusai models pull kokoro-82m` and `nexusai models pull whisper-base`, or an upstream provider.
"""

from basic_usage import open_client


def main() -> None:
    with open_client() as client:
        for voice, text in (
            ("af_heart", "The library opens at nine."),
            ("zf_xiaoxiao", "图书馆早上九点开门。"),
        ):
            spoken = client.audio.synthesize(text, voice=voice, format="wav")
            path = spoken.save(f"{voice}.wav")
            print(f"{path}: {spoken.duration:.1f} s")

            # A path, bytes, a file object, or the `file_id` of an upload; of any length.
            heard = client.audio.transcribe(path, on_progress=lambda task: print(f"  {task.progress or 0} %"))
            for segment in heard.segments:
                print(f"  [{heard.language}] {segment.start:.1f}-{segment.end:.1f} s: {segment.text.strip()}")


if __name__ == "__main__":
    main()
