"""Pictures, saved into the current directory. Run it with `python examples/images_async.py`.

Without a provider behind the platform the built-in illustrator draws: see docs/illustrator.md.
"""

import asyncio

from opening import async_open_client


async def main() -> None:
    async with await async_open_client() as client:
        image = await client.images.generate("两只猫在海边，日落，有棕榈树", aspect_ratio="16:9")
        print(await image.save("cats.png"), image.width, image.height)
        print(image.revised_prompt)

        several = await client.images.generate(
            "a dog and a kite in a meadow", size="512x512", num_images=2, seed=7
        )
        for number, picture in enumerate(several.images, 1):
            print(await picture.save(f"dog-{number}.png"))

        task = await client.images.generate_async("a castle with a dragon at night", size="512x512")
        print(f"{task.task_id} is {task.status}")
        castle = await task.wait(on_progress=lambda task: print(f"  {task.status}, {task.progress or 0} %"))
        print(len(await castle.read()), "bytes")


if __name__ == "__main__":
    asyncio.run(main())
