"""How `openai` is asked for text. What is imported inside is part of the cold start."""

PACKAGE = "openai"
KEY = "bench"
MESSAGES = [{"role": "user", "content": "Hello"}]


def connect(url, key=KEY, **options):
    import openai

    return openai.OpenAI(api_key=key, base_url=url + "/v1", **options)


def connect_async(url):
    import openai

    return openai.AsyncOpenAI(api_key=KEY, base_url=url + "/v1")


def ask(client):
    return client.chat.completions.create(model="m", messages=MESSAGES).choices[0].message.content


async def ask_async(client):
    answer = await client.chat.completions.create(model="m", messages=MESSAGES)
    return answer.choices[0].message.content


def pieces(client):
    for chunk in client.chat.completions.create(model="m", messages=MESSAGES, stream=True):
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content
