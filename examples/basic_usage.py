"""Text at once, as a task, and what an error tells.

Run it with `python examples/basic_usage.py`. It needs no key: opening.py says which platform answers.
"""

from opening import open_client

import nexusai


def main() -> None:
    with open_client() as client:
        answer = client.text.generate("Name three rivers of China.", max_tokens=60)
        print(answer.text)
        print(f"{answer.usage.total_tokens} tokens, by {answer.model}")

        task = client.text.generate_async("用一句话介绍你自己。", max_tokens=60)
        print(f"{task.task_id} is {task.status}; something else could be done here")
        print(task.wait().text)

        try:
            client.text.generate("hi", model="no-such-model")
        except nexusai.InvalidRequestError as error:
            print(f"As expected: {error}")


if __name__ == "__main__":
    main()
