# Generated from examples/sessions_async.py by scripts/unasync.py: edit that file.

"""Sessions: begun, found again, read, deleted. Run it with `python examples/sessions_sync.py`."""

from opening import open_client

import nexusai


def main() -> None:
    with open_client() as client:
        config = {"system_prompt": "Answer in one short sentence.", "max_tokens": 30, "temperature": 0}
        session = client.sessions.create(name="Ada", agent_config=config)
        answer = session.invoke("My name is Ada. Remember it.")
        print(answer.text.strip())

        # Another program, or the same one tomorrow, goes on with the id.
        found = client.sessions.get(session.session_id)
        for text in found.stream("What is my name?").text_deltas:
            print(text, end="", flush=True)
        print()

        for message in found.history(limit=10):
            print(f"  {message.timestamp:%H:%M:%S} {message.role}: {message.content.strip()}")
        for each in client.sessions.list(per_page=3):
            print(f"  {each.session_id} {each.name}")

        client.sessions.delete(session.session_id)
        try:
            client.sessions.get(session.session_id)
        except nexusai.NotFoundError:
            print("Forgotten.")


if __name__ == "__main__":
    main()
