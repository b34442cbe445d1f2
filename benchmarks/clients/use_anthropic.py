"""How `anthropic` is used. What is imported inside is part of the cold start."""

PACKAGE = "anthropic"
ERROR = "AnthropicError"
KEY = "bench"


def connect(url, key=KEY, **options):
    import anthropic

    return anthropic.Anthropic(api_key=key, base_url=url, **options)


def connect_async(url, key=KEY, **options):
    import anthropic

    return anthropic.AsyncAnthropic(api_key=key, base_url=url, **options)


def _request(text):
    return {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": text}]}


def ask(client, text="Hello"):
    return client.messages.create(**_request(text)).content[0].text


async def ask_async(client, text="Hello"):
    return (await client.messages.create(**_request(text))).content[0].text


def stream(client):
    return client.messages.create(stream=True, **_request("Hello"))


async def stream_async(client):
    return await client.messages.create(stream=True, **_request("Hello"))


def leave(stream):
    stream.close()


async def leave_async(stream):
    await stream.close()


def text_of(chunk):
    return chunk.delta.text if chunk.type == "content_block_delta" else ""


def pieces(client):
    for event in stream(client):
        if event.type == "content_block_delta":
            yield event.delta.text


async def pieces_async(client):
    async for event in await stream_async(client):
        if event.type == "content_block_delta":
            yield event.delta.text


def find(client, file_id):
    return client.beta.files.retrieve_metadata(file_id).id


async def find_async(client, file_id):
    return (await client.beta.files.retrieve_metadata(file_id)).id


def upload(client, file):
    return client.beta.files.upload(file=file).id


async def upload_async(client, file):
    return (await client.beta.files.upload(file=file)).id


def download(client, path):
    with client.beta.files.with_streaming_response.download("file_bench") as answer:
        answer.stream_to_file(path)


async def download_async(client, path):
    async with client.beta.files.with_streaming_response.download("file_bench") as answer:
        await answer.stream_to_file(path)
