"""Which text means the same, across languages. Run it with `python examples/embeddings_search.py`."""

from basic_usage import open_client

TEXTS = ["猫在沙发上睡觉。", "The stock market fell today.", "The cat sleeps on the sofa.", "今天股市下跌。"]


def main() -> None:
    with open_client() as client:
        # Any number of texts: sent in parts, several at a time, and put back in their order.
        vectors = client.embeddings.create_batch(TEXTS, batch_size=2).vectors
        question = client.embeddings.create("Where does the cat sleep?").vectors[0]
        scores = [sum(a * b for a, b in zip(question, vector)) for vector in vectors]
        for score, text in sorted(zip(scores, TEXTS), reverse=True):
            print(f"{score:.3f} {text}")


if __name__ == "__main__":
    main()
