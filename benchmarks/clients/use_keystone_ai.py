"""How `keystone-ai` is used. What is imported inside is part of the cold start."""

PACKAGE = "nexusai"  # it goes by the same name
ERROR = "error.APIError"
KEY = "nxs_bench"


def connect(url, key=KEY, **options):
    import nexusai

    return nexusai.NexusAIClient(api_key=key, base_url=url + "/api/v1", **options)


def ask(client, text="Hello"):
    return client.text.generate(text).text


def stream(client):
    return client.text.stream("Hello")


def leave(stream):
    stream.close()


def text_of(chunk):
    delta = chunk.get("delta")
    return delta["content"] if delta else ""


def pieces(client):
    for chunk in client.text.stream("Hello"):
        delta = chunk.get("delta")
        if delta:
            yield delta["content"]


def vectors(client, texts):
    return [row.embedding for row in client.embeddings.create(texts).data]


def find(client, file_id):
    return client.files.get(file_id).file_id


def upload(client, file):
    if isinstance(file, tuple):
        import io

        return client.files.upload(io.BytesIO(file[1]), filename=file[0]).file_id
    return client.files.upload(file).file_id
