"""Many calls, some at a time, each with its own outcome; started again, it goes on where it stopped.

Run it with `python examples/batch_run.py`.
"""

from pathlib import Path

from opening import open_client


def main() -> None:
    checkpoint = Path("answers.jsonl")
    calls = [
        ("text.generate", {"prompt": f"Say {word} in French.", "max_tokens": 8}) for word in ("yes", "no")
    ]
    calls.append(("text.generate", {"prompt": "hi", "model": "no-such-model"}))
    with open_client() as client:
        for item in client.batch.run(calls, concurrency=2, checkpoint=checkpoint):
            print(f"{item.call.arguments['prompt']} {item.error or item.result.text.strip()}")
        again = client.batch.run(calls, checkpoint=checkpoint)  # only what failed is asked for again
        print(sum(item.restored for item in again), "answers were there already")
    checkpoint.unlink()


if __name__ == "__main__":
    main()
