"""`nexusai text`, `nexusai chat` and `nexusai embed`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

import typer

from nexusai.cli import running, showing
from nexusai.cli.words import say
from nexusai.client import NexusAIClient
from nexusai.error import APIError

_MODEL = typer.Option(
    None,
    "--model",
    "-m",
    help=say("The model; the platform's choice if left out.", "模型；省略时由平台选择。"),
)
_PROVIDER = typer.Option(None, help=say("The provider.", "提供商。"))
_SYSTEM = typer.Option(None, "--system", "-s", help=say("How to answer.", "系统提示。"))
_TEMPERATURE = typer.Option(None, "--temperature", "-t", help=say("0 is the most predictable.", "0 最确定。"))
_MAX_TOKENS = typer.Option(None, help=say("The longest answer, in tokens.", "回答的最大 token 数。"))
_PROMPT = typer.Argument(
    None, help=say("The prompt; what is piped in comes before it.", "提示词；管道输入放在其前。")
)

_CHAT_HELP = say(
    "/new begins anew, /model NAME changes the model, /save FILE writes the conversation down, /exit leaves. "
    "Ctrl-C stops an answer.",
    "/new 重新开始，/model 名称 更换模型，/save 文件 保存对话，/exit 退出。Ctrl-C 停止当前回答。",
)


def mount(app: typer.Typer) -> None:
    """Add these commands."""
    running.command(app, "text", "生成文本，边生成边输出。")(text)
    running.command(app, "chat", "与模型对话。")(chat)
    running.command(app, "embed", "把文本转换为向量。")(embed)


def text(
    prompt: Optional[List[str]] = _PROMPT,
    model: Optional[str] = _MODEL,
    provider: Optional[str] = _PROVIDER,
    system: Optional[str] = _SYSTEM,
    temperature: Optional[float] = _TEMPERATURE,
    max_tokens: Optional[int] = _MAX_TOKENS,
    output: Optional[Path] = showing.OUTPUT,
    as_json: bool = showing.AS_JSON,
) -> None:
    """Generate text; it is printed as it comes."""
    asked = showing.read_input(prompt, say("a prompt", "提示词"))
    turns = [{"role": "system", "content": system}] if system else []
    options: Dict[str, Any] = {
        "messages": [*turns, {"role": "user", "content": asked}],
        "model": model,
        "provider": provider,
        "temperature": temperature,
        "max_tokens": max_tokens,
    }
    with running.connect() as client:
        if as_json:
            showing.as_json(client.text.generate(**options))
        elif output is not None:
            showing.write(output, client.text.generate(**options).text + "\n")
        else:
            with client.text.stream(**options) as stream:
                showing.stream(stream.text_deltas)


def chat(
    model: Optional[str] = _MODEL,
    provider: Optional[str] = _PROVIDER,
    system: Optional[str] = _SYSTEM,
    temperature: Optional[float] = _TEMPERATURE,
) -> None:
    """Talk with a model."""
    if sys.stdin.isatty():
        showing.err.print(_CHAT_HELP, style="dim")
    with running.connect() as client:
        conversation = _Conversation(client, model, provider, system, temperature)
        while True:
            line = _next_line()
            if line is None or line == "/exit":
                return
            if line:
                conversation.take(line)


def _next_line() -> Optional[str]:
    """What is typed next; None at its end."""
    try:
        return input("> " if sys.stdin.isatty() else "").strip()
    except EOFError:
        return None


class _Conversation:
    def __init__(
        self,
        client: NexusAIClient,
        model: Optional[str],
        provider: Optional[str],
        system: Optional[str],
        temperature: Optional[float],
    ) -> None:
        self._client = client
        self._options: Dict[str, Any] = {"model": model, "provider": provider, "temperature": temperature}
        self._opening = [{"role": "system", "content": system}] if system else []
        self._turns = list(self._opening)

    def take(self, line: str) -> None:
        """Do what a line says: an order, or something to answer."""
        order, _, rest = line.partition(" ")
        if order == "/new":
            self._turns = list(self._opening)
        elif order == "/model":
            self._options.update(model=rest or None, provider=None)
        elif order == "/save":
            self._save(rest)
        elif order.startswith("/"):
            showing.err.print(_CHAT_HELP)
        else:
            self._answer(line)

    def _answer(self, prompt: str) -> None:
        """An answer that fails or is stopped leaves no trace: it can be asked for again."""
        turns = [*self._turns, {"role": "user", "content": prompt}]
        try:
            with self._client.text.stream(messages=turns, **self._options) as stream:
                answer = showing.stream(stream.text_deltas)
        except KeyboardInterrupt:
            showing.out.print()
            showing.err.print(say("Stopped.", "已停止。"))
        except APIError as error:
            if not sys.stdin.isatty():
                raise
            showing.err.print(str(error))
        else:
            self._turns = [*turns, {"role": "assistant", "content": answer}]

    def _save(self, name: str) -> None:
        if not name:
            showing.err.print(_CHAT_HELP)
            return
        try:
            showing.write(Path(name), json.dumps(self._turns, ensure_ascii=False, indent=2) + "\n")
        except OSError as error:
            showing.err.print(str(error))


def embed(
    texts: Optional[List[str]] = typer.Argument(
        None,
        help=say(
            "Texts, each an argument; or one to a line, piped in.", "文本，每个参数一条；或从管道逐行读取。"
        ),
    ),
    model: Optional[str] = _MODEL,
    output: Optional[Path] = showing.OUTPUT,
    as_json: bool = showing.AS_JSON,
) -> None:
    """Make vectors of texts."""
    asked = list(texts or []) or [line for line in sys.stdin.read().splitlines() if line.strip()]
    if not asked:
        raise ValueError(say("There is no text to embed.", "没有要转换的文本。"))
    with running.connect() as client:
        answer = client.embeddings.create_batch(asked, model=model)
    rows = [{"text": text, "embedding": item.embedding} for text, item in zip(asked, answer.data)]
    if output is not None:
        showing.write(output, json.dumps(rows, ensure_ascii=False) + "\n")
    elif as_json:
        showing.as_json(rows)
    else:
        for row in rows:
            vector = row["embedding"]
            shown = ", ".join(f"{number:.4f}" for number in vector[:4])
            showing.out.print(f"{row['text'][:40]}  [{shown}, …]  {len(vector)}")
