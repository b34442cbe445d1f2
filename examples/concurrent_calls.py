"""Several calls at a time, awaited together. Run it with `python examples/concurrent_calls.py`."""

import asyncio

from opening import async_open_client


async def main() -> None:
    async with await async_open_client() as client:
        questions = ["What is water?", "What is fire?", "天空为什么是蓝色的？"]
        calls = [client.text.generate(question, max_tokens=30) for question in questions]
        for question, answer in zip(questions, await asyncio.gather(*calls)):
            print(f"{question}\n  {answer.text.strip()}")


if __name__ == "__main__":
    asyncio.run(main())
