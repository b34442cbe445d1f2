"""How `anthropic` is asked for text. What is imported inside is part of the cold start."""

PACKAGE = "anthropic"
KEY = "bench"
REQUEST = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}


def connect(url, key=KEY, **options):
    import anthropic

    return anthropic.Anthropic(api_key=key, base_url=url, **options)


def connect_async(url):
    import anthropic

    return anthropic.AsyncAnthropic(api_key=KEY, base_url=url)


def ask(client):
    return client.messages.create(**REQUEST).content[0].text


async def ask_async(client):
    return (await client.messages.create(**REQUEST)).content[0].text


def pieces(client):
    for event in client.messages.create(stream=True, **REQUEST):
        if event.type == "content_block_delta":
            yield event.delta.text
