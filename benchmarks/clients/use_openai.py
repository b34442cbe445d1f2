"""How `openai` is used. What is imported inside is part of the cold start."""

PACKAGE = "openai"
ERROR = "OpenAIError"
KEY = "bench"


def connect(url, key=KEY, **options):
    import openai

    return openai.OpenAI(api_key=key, base_url=url + "/v1", **options)


def connect_async(url, key=KEY, **options):
    import openai

    return openai.AsyncOpenAI(api_key=key, base_url=url + "/v1", **options)


def _request(text):
    return {"model": "m", "messages": [{"role": "user", "content": text}]}


def ask(client, text="Hello"):
    return client.chat.completions.create(**_request(text)).choices[0].message.content


async def ask_async(client, text="Hello"):
    answer = await client.chat.completions.create(**_request(text))
    return answer.choices[0].message.content


def stream(client):
    return client.chat.completions.create(stream=True, **_request("Hello"))


async def stream_async(client):
    return await client.chat.completions.create(stream=True, **_request("Hello"))


def leave(stream):
    stream.close()


async def leave_async(stream):
    await stream.close()


def text_of(chunk):
    return chunk.choices[0].delta.content or "" if chunk.choices else ""


def pieces(client):
    for chunk in stream(client):
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


async def pieces_async(client):
    async for chunk in await stream_async(client):
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


def vectors(client, texts):
    return [row.embedding for row in client.embeddings.create(input=texts, model="m").data]


def find(client, file_id):
    return client.files.retrieve(file_id).id


async def find_async(client, file_id):
    return (await client.files.retrieve(file_id)).id


def upload(client, file):
    return client.files.create(file=file, purpose="user_data").id


async def upload_async(client, file):
    return (await client.files.create(file=file, purpose="user_data")).id


def download(client, path):
    with client.files.with_streaming_response.content("file_bench") as answer:
        answer.stream_to_file(path)


async def download_async(client, path):
    async with client.files.with_streaming_response.content("file_bench") as answer:
        await answer.stream_to_file(path)
