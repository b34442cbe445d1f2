"""A chat bot with a memory, in a web page.

    python chat_page.py            and open the address that it prints

Answers are shown as they come and can be stopped. Each browser has a conversation of its own, which the
platform remembers: it is still there when the page, or this program, is started again. One file, and nothing
but Python's standard library and the SDK; for one person, or a few, on this machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import suppress
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Iterator

import nexusai
from nexusai.resources.sessions import Session

COOKIE = "conversation"
MOST = 100_000  # bytes of a question

PAGE = """<!doctype html>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>Chat</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 0 auto; padding: 1rem;
         min-height: 100vh; box-sizing: border-box; display: flex; flex-direction: column; }
  #said { flex: 1; }
  #said p { white-space: pre-wrap; overflow-wrap: anywhere; padding: .5rem .75rem; border-radius: .75rem; }
  .user { background: #8883; margin-left: 20%; }
  .error { color: #c33; }
  form { display: flex; gap: .5rem; position: sticky; bottom: 0; padding: .5rem 0; background: Canvas; }
  input { flex: 1; font: inherit; padding: .5rem; }
  button { font: inherit; }
</style>
<main id="said" aria-live="polite"></main>
<form>
  <input name="text" autocomplete="off" autofocus required>
  <button id="send"></button>
  <button id="stop" type="button" hidden></button>
  <button id="anew" type="button"></button>
</form>
<script>
const chinese = navigator.language.startsWith("zh")
const words = chinese ? ["说点什么", "发送", "停止", "新对话", "连接中断了。"]
                      : ["Say something", "Send", "Stop", "New", "The connection broke."]
const [said, form] = [document.querySelector("#said"), document.querySelector("form")]
const [send, stop, anew] = ["#send", "#stop", "#anew"].map(name => document.querySelector(name))
document.documentElement.lang = chinese ? "zh-CN" : "en"
form.text.placeholder = form.text.ariaLabel = words[0]
;[send.textContent, stop.textContent, anew.textContent] = words.slice(1, 4)
let reading = null

function show(role, text) {
  const line = said.appendChild(document.createElement("p"))
  line.className = role
  line.textContent = text  // never as HTML
  line.scrollIntoView({ block: "end" })
  return line
}

async function* lines(answer) {
  let rest = ""
  for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
    const whole = (rest + piece).split("\\n")
    rest = whole.pop()
    yield* whole.map(JSON.parse)
  }
}

async function ask(text) {
  show("user", text)
  const line = show("assistant", "")
  let ended = false
  reading = new AbortController()
  const options = { method: "POST", headers: { "Content-Type": "application/json" },
                    body: JSON.stringify({ text }), signal: reading.signal }
  for await (const told of lines(await fetch("say", options))) {
    if (told.text) line.textContent += told.text
    if (told.error) show("error", told.error)
    ended ||= told.done || told.error
  }
  if (!ended) show("error", words[4])
}

form.onsubmit = async event => {
  event.preventDefault()
  const text = form.text.value
  form.reset()
  send.disabled = anew.disabled = !(stop.hidden = false)
  try { await ask(text) } catch (error) { if (error.name !== "AbortError") show("error", words[4]) }
  send.disabled = anew.disabled = !(stop.hidden = true)
  form.text.focus()
}
stop.onclick = () => reading.abort()
anew.onclick = async () => {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" }
  const answer = await fetch("anew", options)
  if (answer.ok) said.replaceChildren()
  else show("error", (await answer.json()).error)
}
fetch("history").then(answer => answer.json()).then(told => {
  if (told.error) show("error", told.error)
  else told.forEach(each => show(each.role, each.content))
})
</script>
"""


class Chat(BaseHTTPRequestHandler):
    """What the page asks for."""

    client: nexusai.NexusAIClient
    agent: dict[str, Any]

    def do_GET(self) -> None:
        self.answered(self.get)

    def do_POST(self) -> None:
        self.answered(self.post)

    def answered(self, act: Callable[[], None]) -> None:
        """Do what the page asks for; what goes wrong on the platform is told to it."""
        with suppress(ConnectionError):  # stopped, or the page was left
            try:
                act()
            except nexusai.APIError as error:
                self.reply(json.dumps({"error": str(error)}).encode() + b"\n", "application/json", 502)

    def get(self) -> None:
        if not self.is_ours():
            self.send_error(403)
        elif self.path == "/":
            self.reply(PAGE.encode(), "text/html; charset=utf-8")
        elif self.path == "/history":
            session = self.session()
            messages = [] if session is None else session.history(limit=100)
            shown = [{"role": each.role, "content": each.content} for each in messages]
            self.reply(json.dumps(shown).encode(), "application/json")
        else:
            self.send_error(404)

    def post(self) -> None:
        # A form or a script of another site cannot send JSON here without asking, which is not answered.
        if not self.is_ours() or self.headers.get_content_type() != "application/json":
            self.send_error(403)
        elif self.path == "/say":
            self.say()
        elif self.path == "/anew":
            session = self.session()
            if session is not None:
                session.delete()
            self.reply(b"", "text/plain")
        else:
            self.send_error(404)

    def say(self) -> None:
        """Answer, piece by piece; each line is told at once."""
        text = self.question()
        if text is None:
            self.send_error(400, "A question is JSON: a text, not too long")
            return
        session = self.session() or self.client.sessions.create(name="chat_page", agent_config=self.agent)
        stream = session.stream(text)
        try:
            self.send_response(200)
            self.send_header("Content-Type", "application/x-ndjson")
            self.send_header(
                "Set-Cookie", f"{COOKIE}={session.id}; HttpOnly; SameSite=Strict; Max-Age=31536000"
            )
            self.end_headers()
            for told in answer(stream):
                self.wfile.write(json.dumps(told).encode() + b"\n")
        finally:
            stream.close()  # where the page was left, the platform stops writing, too

    def question(self) -> str | None:
        try:
            size = int(self.headers.get("Content-Length") or 0)
            if not 0 < size <= MOST:
                return None
            text = json.loads(self.rfile.read(size))["text"]
        except (ValueError, KeyError, TypeError):
            return None
        return text if isinstance(text, str) and text.strip() else None

    def session(self) -> Session | None:
        """The conversation of this browser."""
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get(COOKIE)
        if cookie is None or not cookie.value:
            return None
        try:
            return self.client.sessions.get(cookie.value)
        except nexusai.NotFoundError:
            return None

    def is_ours(self) -> bool:
        """Whether the page was asked for by the name of this machine, not by one that merely leads here."""
        return self.headers.get("Host") in (f"{name}:{self.server.server_port}" for name in NAMES)

    def reply(self, content: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


NAMES = ("localhost", "127.0.0.1")


def answer(stream: Any) -> Iterator[dict[str, Any]]:
    try:
        for text in stream.text_deltas:
            yield {"text": text}
        yield {"done": True}
    except nexusai.APIError as error:
        yield {"error": str(error)}


def main() -> int:
    arguments = read_arguments()
    try:
        with open_client() as client:
            serve(client, arguments)
    except (nexusai.APIError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A chat bot with a memory, in a web page.")
    parser.add_argument("--port", type=int, default=8800, help="where the page is served; 0 takes any (8800)")
    parser.add_argument("--system", default="Answer briefly, in the language of the question.")
    parser.add_argument("--model", help="the model that answers (the platform's choice)")
    return parser.parse_args()


def open_client() -> nexusai.NexusAIClient:
    """The platform that the settings name, else the one on this machine, started if none runs."""
    return nexusai.NexusAIClient() if nexusai.config.api_key else nexusai.NexusAIClient.local()


def serve(client: nexusai.NexusAIClient, arguments: argparse.Namespace) -> None:
    Chat.client = client
    Chat.agent = {"system_prompt": arguments.system, "max_tokens": 500}
    if arguments.model:
        Chat.agent["model"] = arguments.model
    with ThreadingHTTPServer(("127.0.0.1", arguments.port), Chat) as server:
        print(f"http://127.0.0.1:{server.server_port}/  (Ctrl-C ends it)", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
