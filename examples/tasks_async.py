"""Tasks: handed over, watched, found again, cancelled. Run it with `python examples/tasks_async.py`."""

import asyncio

from opening import async_open_client

import nexusai


async def main() -> None:
    async with await async_open_client() as client:
        task = await client.text.generate_async("Write a haiku about rain.", max_tokens=30)
        print(f"{task.task_id} is {task.status}; something else could be done here")

        # Any program that has the id and the key can wait for it.
        done = await client.tasks.wait(
            task.task_id, timeout=120, on_progress=lambda task: print(f"  {task.status}")
        )
        print(done.output["text"].strip())

        long = await client.text.generate_async("Write a very long story.", max_tokens=2000)
        cancelled = await client.tasks.cancel(long.task_id)
        print(f"{cancelled.task_id} is {cancelled.status}")
        try:
            await long.wait()
        except nexusai.TaskCancelledError as error:
            print(f"As expected: {error}")

        for each in await client.tasks.list(task_type="text_generation", per_page=3):
            print(f"  {each.task_id} {each.status} since {each.created_at:%H:%M:%S}")


if __name__ == "__main__":
    asyncio.run(main())
