"""How `nexusai` is used. What is imported inside is part of the cold start."""

PACKAGE = "nexusai"
ENCODINGS = {"float": "", "base64": "64"}
ERROR = "error.APIError"
KEY = "nxs_bench"


def connect(url, key=KEY, **options):
    import nexusai

    return nexusai.NexusAIClient(api_key=key, base_url=url + "/api/v1", **options)


def connect_async(url, key=KEY, **options):
    import nexusai

    return nexusai.AsyncNexusAIClient(api_key=key, base_url=url + "/api/v1", **options)


def ask(client, text="Hello"):
    return client.text.generate(text).text


async def ask_async(client, text="Hello"):
    return (await client.text.generate(text)).text


def stream(client):
    return client.text.stream("Hello")


async def stream_async(client, text="Hello"):
    return client.text.stream(text)


def leave(stream):
    stream.close()


async def leave_async(stream):
    await stream.aclose()


def text_of(chunk):
    delta = chunk.get("delta")
    return delta["content"] if delta else ""


def pieces(client):
    for chunk in client.text.stream("Hello"):
        delta = chunk.get("delta")
        if delta:
            yield delta["content"]


async def pieces_async(client, text="Hello"):
    async for chunk in client.text.stream(text):
        delta = chunk.get("delta")
        if delta:
            yield delta["content"]


def allow(connections):
    """Let a client have so many."""
    import nexusai

    nexusai.config.max_connections = connections


def vectors(client, texts):
    return client.embeddings.create(texts).vectors


def decoder():
    """From an answer's bytes to vectors, as `embeddings.create` does it."""
    from nexusai._internal._responses import Answer, read_model
    from nexusai.models import EmbeddingsResponse

    def decode(content):
        return read_model(Answer(200, {}, content), EmbeddingsResponse).vectors

    return decode


def find(client, file_id):
    return client.files.get(file_id).file_id


async def find_async(client, file_id):
    return (await client.files.get(file_id)).file_id


def upload(client, file):
    return client.files.upload(file).file_id


async def upload_async(client, file):
    return (await client.files.upload(file)).file_id


def download(client, path):
    client.files.download("file_bench", path)


async def download_async(client, path):
    await client.files.download("file_bench", path)
