"""Sessions: begun, found again, read, deleted. Run it with `python examples/sessions_async.py`."""

import asyncio

from opening import async_open_client

import nexusai


async def main() -> None:
    async with await async_open_client() as client:
        config = {"system_prompt": "Answer in one short sentence.", "max_tokens": 30, "temperature": 0}
        session = await client.sessions.create(name="Ada", agent_config=config)
        answer = await session.invoke("My name is Ada. Remember it.")
        print(answer.text.strip())

        # Another program, or the same one tomorrow, goes on with the id.
        found = await client.sessions.get(session.session_id)
        async for text in found.stream("What is my name?").text_deltas:
            print(text, end="", flush=True)
        print()

        for message in await found.history(limit=10):
            print(f"  {message.timestamp:%H:%M:%S} {message.role}: {message.content.strip()}")
        for each in await client.sessions.list(per_page=3):
            print(f"  {each.session_id} {each.name}")

        await client.sessions.delete(session.session_id)
        try:
            await client.sessions.get(session.session_id)
        except nexusai.NotFoundError:
            print("Forgotten.")


if __name__ == "__main__":
    asyncio.run(main())
