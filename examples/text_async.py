"""Text: at once, from a conversation, as a task, as a stream. Run it with `python examples/text_async.py`."""

import asyncio

from opening import async_open_client


async def main() -> None:
    async with await async_open_client() as client:
        answer = await client.text.generate("Name three rivers of China.", max_tokens=40)
        print(answer.text.strip())
        print(f"[{answer.model}, {answer.usage.total_tokens} tokens, ended by {answer.finish_reason}]")

        messages = [
            {"role": "system", "content": "Answer with one word."},
            {"role": "user", "content": "What is the capital of France?"},
        ]
        answer = await client.text.generate(messages=messages, temperature=0, max_tokens=10)
        print(answer.text.strip())

        # A task is accepted at once, and done even if this program ends before it.
        task = await client.text.generate_async("用一句话介绍你自己。", max_tokens=40)
        print(f"{task.task_id} is {task.status}")
        answer = await task.wait()
        print(answer.text.strip())

        stream = client.text.stream("Say good night.", max_tokens=20)
        async for text in stream.text_deltas:
            print(text, end="", flush=True)
        print(f"\n[{stream.response.finish_reason}]")


if __name__ == "__main__":
    asyncio.run(main())
