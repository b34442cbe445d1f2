"""Platform: answers by script, or by itself."""

from __future__ import annotations

from threading import RLock
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

from nexusai._internal._transport import AsyncTransport, Transport
from nexusai.testing._calls import Call
from nexusai.testing._memory.replies import content_reply, error_reply, json_reply
from nexusai.testing._memory.service import Service
from nexusai.testing._script import (
    Fault,
    Making,
    Match,
    Prompt,
    Rule,
    Said,
    Script,
    Statuses,
    UnexpectedCallError,
    Vectors,
    When,
    statuses_of,
)
from nexusai.testing._wire import AsyncScriptedWire, Reply, ScriptedWire, Stage, Trouble, VirtualClock
from nexusai.types import JSONObject

_MESSAGES = {401: "Invalid API key", 429: "Rate limit exceeded", 503: "The platform is overloaded"}


class Platform(Stage):
    """A platform in this process: no socket, no thread, no waiting.

    It keeps to the API's contract. What nobody has scripted it answers by itself, always in the same way;
    with `strict` it does not. What is scripted takes the place of that for its kind of call: the first
    answer that is for a call and not used up is given, and where there is none the call fails with
    `UnexpectedCallError`.

    Each method that scripts an answer takes the calls it is for: `prompt`, the whole of it or a compiled
    pattern that is found in it; `model`; `when`, a function of the `Call`; and `times`, how many calls it
    answers, None for any number. `takes` are seconds until the answer comes; they pass at once.

    Attributes:
        calls: what was asked, in order.
        clock: the time, which passes when a client waits: its `pauses` tell for how long it has.
        unexpected: the calls that the script had no answer to, as messages.
    """

    clock: VirtualClock

    def __init__(self, *, strict: bool = False) -> None:
        super().__init__()
        self.clock = VirtualClock()
        self.transport: Transport = ScriptedWire(self)
        self.async_transport: AsyncTransport = AsyncScriptedWire(self)
        self.calls: List[Call] = []
        self.unexpected: List[str] = []
        self._script = Script(strict=strict)
        self._service = Service(self.clock.monotonic)
        self._given: Dict[str, Reply] = {}
        self._lock = RLock()

    def text(
        self,
        said: Union[Said, Callable[[Call], Said]],
        *,
        prompt: Optional[Prompt] = None,
        model: Optional[str] = None,
        when: Optional[When] = None,
        times: Optional[int] = 1,
        finish_reason: str = "stop",
        statuses: Statuses = (),
        ends: bool = True,
        cut_after: Optional[int] = None,
        resumes: bool = False,
        takes: float = 0.0,
    ) -> None:
        """The next text, whether it is asked for at once, as a task, as a stream, or in a session.

            platform.text("Hello")
            platform.text(["Hel", "lo"])  # the pieces of a stream
            platform.text({"name": "Paris"})  # as JSON, for `text.parse`
            platform.text(lambda call: call.prompt.upper(), times=None)

        `statuses` make it a task that passes through them, one at each look; with `ends=False` it stays
        at the last. `cut_after` breaks a stream off after so many pieces, for good unless it `resumes`.
        """
        making = Making(
            lambda call: {"said": said(call) if callable(said) else said, "finish_reason": finish_reason},
            statuses_of(statuses),
            ends,
            cut_after=cut_after,
            resumes=resumes,
        )
        shown = "text" if callable(said) else f"text {said!r}"
        self._add(shown, Match("text_generation", prompt, model, when=when), making, times, takes)

    def image(
        self,
        content: Optional[bytes] = None,
        *,
        width: Optional[int] = None,
        height: Optional[int] = None,
        revised_prompt: Optional[str] = None,
        prompt: Optional[Prompt] = None,
        model: Optional[str] = None,
        when: Optional[When] = None,
        times: Optional[int] = 1,
        statuses: Statuses = (),
        ends: bool = True,
        takes: float = 0.0,
    ) -> None:
        """The next picture: these bytes, or a PNG of one colour in the size that is asked for."""
        raw = {"content": content, "width": width, "height": height, "revised_prompt": revised_prompt}
        making = Making(lambda call: raw, statuses_of(statuses), ends)
        self._add("image", Match("image_generation", prompt, model, when=when), making, times, takes)

    def speech(
        self,
        content: Optional[bytes] = None,
        *,
        content_type: str = "audio/wav",
        duration: Optional[float] = None,
        prompt: Optional[Prompt] = None,
        model: Optional[str] = None,
        when: Optional[When] = None,
        times: Optional[int] = 1,
        statuses: Statuses = (),
        ends: bool = True,
        takes: float = 0.0,
    ) -> None:
        """The next text read aloud: these bytes, or a WAV of a tone. `prompt` is the text."""
        raw = {"content": content, "content_type": content_type, "duration": duration}
        making = Making(lambda call: raw, statuses_of(statuses), ends)
        self._add("speech", Match("text_to_speech", prompt, model, when=when), making, times, takes)

    def transcript(
        self,
        text: str,
        *,
        language: str = "en",
        duration: Optional[float] = None,
        segments: Optional[Sequence[JSONObject]] = None,
        model: Optional[str] = None,
        when: Optional[When] = None,
        times: Optional[int] = 1,
        statuses: Statuses = (),
        ends: bool = True,
        takes: float = 0.0,
    ) -> None:
        """What is said in the next recording. Segments are `{"start": …, "end": …, "text": …}`."""
        raw = {"text": text, "language": language, "duration": duration, "segments": segments}
        making = Making(lambda call: raw, statuses_of(statuses), ends)
        match = Match("speech_to_text", None, model, when=when)
        self._add(f"transcript {text!r}", match, making, times, takes)

    def document(
        self,
        text: Optional[str] = None,
        *,
        chunk_count: Optional[int] = None,
        when: Optional[When] = None,
        times: Optional[int] = 1,
        statuses: Statuses = (),
        ends: bool = True,
        takes: float = 0.0,
    ) -> None:
        """What stands in the next document that is processed, or taken into a knowledge base."""
        raw = {"text": text, "chunk_count": chunk_count}
        making = Making(lambda call: raw, statuses_of(statuses), ends)
        match = Match("document_processing", when=when)
        self._add(f"document {text!r}", match, making, times, takes)

    def task(
        self,
        task_type: str,
        output: Union[JSONObject, Callable[[Call], JSONObject]],
        *,
        when: Optional[When] = None,
        times: Optional[int] = 1,
        statuses: Statuses = (),
        ends: bool = True,
        takes: float = 0.0,
    ) -> None:
        """The output of the next task of a type that has no method of its own here."""
        make = output if callable(output) else lambda call: dict(output)
        making = Making(make, statuses_of(statuses), ends)
        self._add(f"task {output!r}", Match(task_type, when=when), making, times, takes)

    def failure(
        self,
        task_type: str,
        message: str = "The model has crashed.",
        *,
        code: str = "TASK_FAILED",
        prompt: Optional[Prompt] = None,
        model: Optional[str] = None,
        when: Optional[When] = None,
        times: Optional[int] = 1,
        statuses: Statuses = (),
        pieces: Sequence[str] = (),
    ) -> None:
        """That the next task of this type is accepted, and fails; of a stream, after these pieces."""
        failure = {"code": code, "message": message}
        making = Making(lambda call: {"said": pieces}, statuses_of(statuses), failure=failure)
        match = Match(task_type, prompt, model, when=when)
        self._add(f"failure {message!r}", match, making, times, 0.0)

    def passages(
        self,
        found: Sequence[Union[str, JSONObject]],
        *,
        query: Optional[Prompt] = None,
        when: Optional[When] = None,
        times: Optional[int] = 1,
        takes: float = 0.0,
    ) -> None:
        """What the next search in knowledge bases, or question to them, finds; `[]` for nothing.

        A passage is its text, or what the API tells of it: `content`, `similarity_score`, `metadata` …
        """
        rows = [{"content": each} if isinstance(each, str) else dict(each) for each in found]
        self._add(f"passages {list(found)!r}", Match("search", query, when=when), rows, times, takes)

    def vectors(
        self,
        vectors: Vectors,
        *,
        model: Optional[str] = None,
        when: Optional[When] = None,
        times: Optional[int] = 1,
        takes: float = 0.0,
    ) -> None:
        """The vectors of the next texts that are embedded, in their order; or a function of a text."""
        shown = "vectors" if callable(vectors) else f"{len(vectors)} vectors"
        self._add(shown, Match("embeddings", None, model, when=when), vectors, times, takes)

    def error(
        self,
        status: int,
        message: Optional[str] = None,
        *,
        code: Optional[str] = None,
        retry_after: Optional[float] = None,
        headers: Optional[Mapping[str, str]] = None,
        task_type: Optional[str] = None,
        prompt: Optional[Prompt] = None,
        model: Optional[str] = None,
        method: Optional[str] = None,
        path: Optional[str] = None,
        when: Optional[When] = None,
        times: Optional[int] = 1,
        takes: float = 0.0,
    ) -> None:
        """That the next call is answered with an error, whatever it is, unless it is said for which.

            platform.error(429, retry_after=30)
            platform.error(503, path="/tasks/*", times=2)

        `path` is below the base URL; `*` in it stands for anything.
        """
        said = message or _MESSAGES.get(status, f"A scripted {status}")
        reply = error_reply(
            status, said, self._service.store.now(), code=code, retry_after=retry_after, headers=headers
        )
        match = Match(task_type, prompt, model, method, path, when)
        self._add(f"error {status}", match, Fault(reply), times, takes)

    def drop(
        self,
        *,
        sent: bool = True,
        after_bytes: Optional[int] = None,
        task_type: Optional[str] = None,
        prompt: Optional[Prompt] = None,
        model: Optional[str] = None,
        method: Optional[str] = None,
        path: Optional[str] = None,
        when: Optional[When] = None,
        times: Optional[int] = 1,
    ) -> None:
        """That the connection of the next call breaks: before its answer, or `after_bytes` of it.

        With `sent=False` there is no connection at all.
        """
        trouble = Trouble("the scripted connection was dropped", sent=sent)
        fault = Fault(Reply(0, {}, [], trouble=trouble)) if after_bytes is None else None
        fault = fault or Fault(None, after_bytes or 0, trouble)
        self._add("drop", Match(task_type, prompt, model, method, path, when), fault, times, 0.0)

    def time_out(
        self,
        *,
        task_type: Optional[str] = None,
        prompt: Optional[Prompt] = None,
        model: Optional[str] = None,
        method: Optional[str] = None,
        path: Optional[str] = None,
        when: Optional[When] = None,
        times: Optional[int] = 1,
    ) -> None:
        """That the next call is not answered in time, however long that is."""
        fault = Fault(Reply(0, {}, []))
        match = Match(task_type, prompt, model, method, path, when)
        self._add("time-out", match, fault, times, float("inf"))

    def reply(
        self,
        status: int = 200,
        *,
        json: Any = None,
        content: Optional[bytes] = None,
        headers: Optional[Mapping[str, str]] = None,
        method: Optional[str] = None,
        path: Optional[str] = None,
        when: Optional[When] = None,
        times: Optional[int] = 1,
        takes: float = 0.0,
    ) -> None:
        """An answer as it is: for endpoints that are not known here, and for answers that break the rules."""
        lines = {name.lower(): value for name, value in (headers or {}).items()}
        whole = json_reply(status, json, lines) if content is None else content_reply(status, content, lines)
        self._add(f"reply {status}", Match(None, None, None, method, path, when), Fault(whole), times, takes)

    def _add(self, shown: str, match: Match, answer: Any, times: Optional[int], takes: float) -> None:
        with self._lock:
            self._script.rules.append(Rule(shown, match, answer, times, takes))

    def _answer_to(self, call: Call) -> Reply:
        """What a call is answered with.

        Raises:
            UnexpectedCallError: the script has no answer to it.
        """
        with self._lock:
            call = call._replace(history=self._service.sessions.said_before(call.path))
            self.calls.append(call)
            key = call.headers.get("idempotency-key", "")
            if key in self._given:
                before = self._given[key]
                return before._replace(headers={**before.headers, "idempotent-replayed": "true"})
            try:
                reply = self._answer(call)
            except UnexpectedCallError as error:
                self.unexpected.append(str(error))
                raise
            if key and 0 < reply.status < 400:
                self._given[key] = reply
            return reply

    def _answer(self, call: Call) -> Reply:
        rule = self._script.take(call)
        answer, takes = (None, 0.0) if rule is None else (rule.answer, rule.takes)
        if isinstance(answer, Fault) and answer.reply is not None:
            return answer.reply._replace(takes=takes)
        reply = self._service.reply(call, None if isinstance(answer, Fault) else answer)
        if reply is None:
            raise UnexpectedCallError(self._script.complaint(call))
        if isinstance(answer, Fault):
            return _cut(reply, answer)
        return reply._replace(takes=takes)

    def assert_called(
        self,
        method: Optional[str] = None,
        path: Optional[str] = None,
        *,
        task_type: Optional[str] = None,
        prompt: Optional[Prompt] = None,
        model: Optional[str] = None,
        times: Optional[int] = None,
        **config: Any,
    ) -> Call:
        """That there was such a call, or `times` of them; the last one is returned.

            platform.assert_called(task_type="text_generation", prompt="Hi", temperature=0)
            platform.assert_called("GET", "/tasks/*", times=2)

        Further keywords are options of the call.

        Raises:
            AssertionError: there was not; the message tells what there was.
        """
        match = Match(task_type, prompt, model, method, path)
        found = [call for call in self.calls if match(call) and _has(call, config)]
        if len(found) == times or (found and times is None):
            return found[-1] if found else self.calls[-1]
        wanted = [str(match), *(f"{name} {value!r}" for name, value in config.items()), task_type or ""]
        often = "at least once" if times is None else f"{times} times"
        rows = [f"  {call}" for call in self.calls] or ["  nothing"]
        raise AssertionError(
            "\n".join(
                [
                    f"Expected a call ({', '.join(filter(None, wanted)) or 'any'}) {often}, "
                    f"but it came {len(found)} times.",
                    "There came:",
                    *rows,
                ]
            )
        )

    def assert_not_called(
        self,
        method: Optional[str] = None,
        path: Optional[str] = None,
        *,
        task_type: Optional[str] = None,
        prompt: Optional[Prompt] = None,
        model: Optional[str] = None,
        **config: Any,
    ) -> None:
        """That there was no such call: see `assert_called`."""
        match = Match(task_type, prompt, model, method, path)
        found = [str(call) for call in self.calls if match(call) and _has(call, config)]
        if found:
            raise AssertionError("\n".join(["Expected no such call, but there came:", *found]))

    def assert_all_used(self) -> None:
        """That every answer was given as often as it was scripted."""
        left = [f"  {rule}" for rule in self._script.rules if not rule.is_used_up]
        if left:
            raise AssertionError("\n".join(["Scripted, but not asked for:", *left]))

    def assert_nothing_unexpected(self) -> None:
        """That no call was unexpected, also where the program has swallowed the error."""
        if self.unexpected:
            raise UnexpectedCallError("\n".join(self.unexpected))


def _has(call: Call, config: Mapping[str, Any]) -> bool:
    return all(call.config.get(name) == value for name, value in config.items())


def _cut(reply: Reply, fault: Fault) -> Reply:
    """An answer that breaks off."""
    left, pieces = fault.after_bytes, []
    for piece in reply.pieces:
        pieces.append(piece[:left])
        left -= len(pieces[-1])
    return reply._replace(pieces=[piece for piece in pieces if piece], trouble=fault.trouble)
