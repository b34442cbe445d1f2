"""A conversation that the platform remembers. Run it with `python examples/session_chat.py`."""

from opening import open_client


def main() -> None:
    config = {"system_prompt": "Answer in one short sentence.", "max_tokens": 40, "temperature": 0}
    with open_client() as client, client.sessions.create(name="Travel", agent_config=config) as session:
        print(session.invoke("My name is Ada, and I want to see the sea. Where should I go?").text)

        for text in session.stream("What should I take with me?").text_deltas:
            print(text, end="", flush=True)
        print()

        print(session.invoke("What is my name?").text)
        for message in session.history():
            print(f"{message.timestamp:%H:%M:%S} {message.role}: {message.content.strip()}")
    # Leaving the `with` deletes the session; `client.sessions.get(session_id)` finds one that was kept.


if __name__ == "__main__":
    main()
