"""What the server that misbehaves plays by itself, where no script says what comes next."""

from __future__ import annotations

import random
from typing import Callable

from faults.server import DONE, Act, Connection, Seen, completed, delta, drop, head, reply, reset, stream


def echo(seen: Seen) -> Act:
    """The prompt comes back as the text: who gets another's answer notices."""
    return reply(200, completed(seen.json["input"]["prompt"]))


def misbehave(dice: random.Random) -> Callable[[Seen], Act]:
    """Answers at once, late, in pieces, never, broken, or with the wish to be asked again."""
    slow_stream = head(200, {"content-type": "text/event-stream"}) + delta("a")

    def late(connection: Connection) -> None:
        connection.pause(dice.random() * 0.01)
        reply(200, completed())(connection)

    def in_pieces(connection: Connection) -> None:
        body = b'{"task_id": "t", "status": "completed", "output": {"text": "hello"}}'
        connection.send(head(200, {"content-length": str(len(body))}) + body[:20])
        connection.pause(dice.random() * 0.005)
        connection.send(body[20:])

    def streaming(connection: Connection) -> None:
        connection.send(slow_stream)
        connection.pause(dice.random() * 0.005)
        connection.send(delta("b") + DONE)
        connection.close()

    def act(seen: Seen) -> Act:
        if b'"alive?"' in seen.body:
            return reply(200, completed("alive"))
        if b'"stream":true' in seen.body:
            return dice.choice([streaming, stream(delta("a"), delta("b"), DONE), drop(slow_stream), reset()])
        quick = reply(200, completed())
        return dice.choice(
            [quick, quick, late, late, in_pieces, drop(), reset(), reply(503, {"detail": "busy"})]
        )

    return act
