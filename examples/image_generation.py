"""Pictures. Run it with `python examples/image_generation.py`; it writes into the current directory.

Without an upstream provider the built-in illustrator draws: docs/illustrator.md says what it can do.
"""

from basic_usage import open_client


def main() -> None:
    with open_client() as client:
        image = client.images.generate("两只猫在海边，日落，有棕榈树", aspect_ratio="16:9")
        print(image.save("cats.png"), image.width, image.height)
        print(image.revised_prompt)

        several = client.images.generate("a dog and a kite in a meadow", size="512x512", num_images=2, seed=7)
        for number, picture in enumerate(several.images, 1):
            print(picture.save(f"dog-{number}.png"))

        task = client.images.generate_async("a castle with a dragon at night", size="512x512")
        print(f"{task.task_id} is {task.status}")
        print(len(task.wait().read()), "bytes")


if __name__ == "__main__":
    main()
