"""Somebody else answers where one is overloaded or cannot be reached, and the answer says who.

Run it with `python examples/fallbacks.py`.
"""

from opening import open_client


def main() -> None:
    with open_client() as client:
        able = [model for model in client.models.list() if "text_generation" in model.task_types]
        fallbacks = [{"provider": model.owned_by, "model": model.id} for model in able]
        answer = client.text.generate("Name a river of China.", max_tokens=20, fallbacks=fallbacks)
        print(f"{answer.text.strip()} (asked in turn: {answer.route.index + 1} of {len(fallbacks) + 1})")

        stream = client.text.stream("Name another.", max_tokens=20, fallbacks=fallbacks)
        for text in stream.text_deltas:
            print(text, end="")
        print(f" (by {stream.response.route})")


if __name__ == "__main__":
    main()
