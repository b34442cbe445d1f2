"""`nexusai sessions`: conversations that the platform remembers."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import typer

from nexusai.cli import running, showing
from nexusai.cli.words import say

app: typer.Typer = running.group("sessions", "Conversations that are remembered.", "平台会记住的会话。")
_ID = typer.Argument(..., metavar="SESSION_ID")
_COLUMNS: showing.Columns = {
    "session_id": lambda session: session.session_id,
    say("name", "名称"): lambda session: session.name,
    say("messages", "消息数"): lambda session: session.message_count,
    say("created", "创建时间"): lambda session: session.created_at,
}


@running.command(app, "create", "开始新会话。")
def create(
    name: Optional[str] = typer.Option(None, help=say("What to call it.", "名称。")),
    system: Optional[str] = typer.Option(None, "--system", "-s", help=say("How to answer.", "系统提示。")),
    model: Optional[str] = typer.Option(None, "--model", "-m"),
) -> None:
    """Begin a conversation."""
    given = {"system_prompt": system, "model": model}
    settings: Dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with running.connect() as client:
        showing.line(client.sessions.create(agent_config=settings or None, name=name).id)


@running.command(app, "list", "列出会话，最新的在前。")
def list_sessions(
    page: int = typer.Option(1, min=1),
    per_page: int = typer.Option(20, min=1, max=100),
    as_json: bool = showing.AS_JSON,
) -> None:
    """List conversations, the newest first."""
    with running.connect() as client:
        found = client.sessions.list(page, per_page)
    if as_json:
        showing.as_json(list(found))
    else:
        showing.table(found, _COLUMNS, say("There is none.", "没有会话。"))


@running.command(app, "show", "显示会话内容。")
def show(
    session_id: str = _ID, limit: int = typer.Option(100, min=1), as_json: bool = showing.AS_JSON
) -> None:
    """Show what was said, the oldest first."""
    with running.connect() as client:
        messages = client.sessions.get(session_id).history(limit)
    if as_json:
        showing.as_json(list(messages))
        return
    for message in messages:
        showing.out.print(f"{message.role}:", style="bold")
        showing.out.print(message.content)


@running.command(app, "say", "在会话中发言。")
def say_something(session_id: str = _ID, prompt: List[str] = typer.Argument(None)) -> None:
    """Say something in a conversation; the answer is printed as it comes."""
    asked = showing.read_input(prompt, say("something to say", "要说的内容"))
    with running.connect() as client, client.sessions.get(session_id).stream(asked) as stream:
        showing.stream(stream.text_deltas)


@running.command(app, "delete", "删除会话。")
def delete(session_id: str = _ID) -> None:
    """Forget a conversation."""
    with running.connect() as client:
        client.sessions.delete(session_id)
    showing.err.print(say(f"Deleted: {session_id}", f"已删除：{session_id}"))
