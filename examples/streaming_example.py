"""Text while it comes, and how to stop it. Run it with `python examples/streaming_example.py`."""

from opening import open_client

import nexusai


def main() -> None:
    with open_client() as client:
        stream = client.text.stream("Count from one to ten, in words.", max_tokens=60)
        for text in stream.text_deltas:
            print(text, end="", flush=True)
        print(f"\n[{stream.response.finish_reason}, {stream.response.usage.completion_tokens} tokens]")

        with client.text.stream("Tell me a very long story.") as stream:
            for count, chunk in enumerate(stream):
                print(chunk.get("delta", {}).get("content", ""), end="", flush=True)
                if count == 10:
                    break  # the connection is closed, and the platform stops generating
        print("\n[left early]")

        try:
            print(client.text.stream("Say hello.", max_tokens=10).read().text)
        except nexusai.StreamInterruptedError as error:
            print(f"Only this came: {error.partial_text!r}")


if __name__ == "__main__":
    main()
