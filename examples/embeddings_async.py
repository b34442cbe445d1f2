"""Which text means the same, across languages. Run it with `python examples/embeddings_async.py`."""

import asyncio

from opening import async_open_client

TEXTS = ["猫在沙发上睡觉。", "The stock market fell today.", "The cat sleeps on the sofa.", "今天股市下跌。"]


async def main() -> None:
    async with await async_open_client() as client:
        for model in await client.embeddings.list_models():
            print(f"{model.id}: {model.dimensions} numbers a text")

        # Any number of texts: sent in parts, several at a time, and put back in their order.
        texts = await client.embeddings.create_batch(TEXTS, batch_size=2)
        question = await client.embeddings.create("Where does the cat sleep?")
        asked = question.vectors[0]
        scores = [sum(a * b for a, b in zip(asked, vector)) for vector in texts.vectors]
        for score, text in sorted(zip(scores, TEXTS), reverse=True):
            print(f"{score:.3f} {text}")


if __name__ == "__main__":
    asyncio.run(main())
