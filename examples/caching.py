"""The same question is asked once: what is safe to keep is kept on disk, for the next run as well.

Run it with `python examples/caching.py`.
"""

import tempfile

from opening import open_client

import nexusai


def main() -> None:
    with open_client() as client, tempfile.TemporaryDirectory() as directory:
        cache = nexusai.Cache(directory, lifetime=3600)
        caching = client.with_options(cache=cache)
        for _ in range(2):
            vectors = caching.embeddings.create(["tea", "茶"])
            # Only what the caller says is the same each time: temperature 0, and a seed.
            answer = caching.text.generate("Name a river of China.", temperature=0, seed=7, max_tokens=20)
            print(f"from the cache: vectors {vectors.from_cache}, text {answer.from_cache}")
        print(cache.stats)
        cache.close()


if __name__ == "__main__":
    main()
