"""How `keystone-ai` is asked for text. What is imported inside is part of the cold start."""

PACKAGE = "nexusai"  # it goes by the same name
KEY = "nxs_bench"


def connect(url, key=KEY, **options):
    import nexusai

    return nexusai.NexusAIClient(api_key=key, base_url=url + "/api/v1", **options)


def ask(client):
    return client.text.generate("Hello").text


def pieces(client):
    for chunk in client.text.stream("Hello"):
        delta = chunk.get("delta")
        if delta:
            yield delta["content"]
