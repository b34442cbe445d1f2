"""How `nexusai` is asked for text. What is imported inside is part of the cold start."""

PACKAGE = "nexusai"
KEY = "nxs_bench"


def connect(url, key=KEY, **options):
    import nexusai

    return nexusai.NexusAIClient(api_key=key, base_url=url + "/api/v1", **options)


def connect_async(url):
    import nexusai

    return nexusai.AsyncNexusAIClient(api_key=KEY, base_url=url + "/api/v1")


def ask(client):
    return client.text.generate("Hello").text


async def ask_async(client):
    return (await client.text.generate("Hello")).text


def pieces(client):
    for chunk in client.text.stream("Hello"):
        delta = chunk.get("delta")
        if delta:
            yield delta["content"]
