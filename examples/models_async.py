"""What the platform can run. Run it with `python examples/models_async.py`."""

import asyncio

from opening import async_open_client


async def main() -> None:
    async with await async_open_client() as client:
        models = await client.models.list()
        for model in models:
            print(f"{model.owned_by}/{model.id}: {', '.join(model.task_types)}")

        # The preferred one comes first; whoever names none gets it.
        writers = [model for model in models if "text_generation" in model.task_types]
        answer = await client.text.generate("Say hello.", model=writers[0].id, max_tokens=10)
        print(f"{answer.model} says {answer.text.strip()!r}")


if __name__ == "__main__":
    asyncio.run(main())
