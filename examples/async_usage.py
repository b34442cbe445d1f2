"""The same, awaited: several calls at a time. Run it with `python examples/async_usage.py`."""

import asyncio
import os

from nexusai import AsyncNexusAIClient


async def main() -> None:
    async with await open_client() as client:
        questions = ["What is water?", "What is fire?", "天空为什么是蓝色的？"]
        calls = [client.text.generate(question, max_tokens=40) for question in questions]
        for question, answer in zip(questions, await asyncio.gather(*calls)):
            print(f"{question}\n  {answer.text.strip()}")

        stream = client.text.stream("Say good night.", max_tokens=20)
        async for text in stream.text_deltas:
            print(text, end="", flush=True)
        print(f"\n[{stream.response.finish_reason}]")


async def open_client() -> AsyncNexusAIClient:
    if "NEXUS_API_KEY" in os.environ:
        return AsyncNexusAIClient()
    return await AsyncNexusAIClient.local()


if __name__ == "__main__":
    asyncio.run(main())
