# Generated from nexusai/aio/resources/text.py by scripts/unasync.py: edit that file.

"""Text: generate it at once, as a task, or as a stream."""

from __future__ import annotations

from typing import Any, Dict, Final, Optional

from pydantic import TypeAdapter, ValidationError

from nexusai._internal import _bodies, _prompts
from nexusai._internal._default import default_internal_client
from nexusai._internal._resource import Resource
from nexusai._internal._streaming import TextStream
from nexusai.error import InvalidResponseError
from nexusai.models import TextResponse
from nexusai.resources.tasks import TaskHandle
from nexusai.types import Fallbacks, JSONObject, Messages


class TextResource(Resource):
    """`client.text`.

    All methods take the same arguments: `prompt`, or `messages` (the turns of a conversation,
    `{"role": "system" | "user" | "assistant", "content": …}`), exactly one of them; `provider` and
    `model`, which the platform chooses when they are left out; and options, which it passes on:
    `temperature`, `max_tokens`, `top_p`, `stop`, `seed` … The end of the task is told to a
    `webhook_url`. `fallbacks`, such as
    `[{"provider": …, "model": …}]`, are asked in turn where the one before cannot answer: see
    docs/fallbacks.md.
    """

    def generate(
        self,
        prompt: Optional[str] = None,
        provider: Optional[str] = None,
        model: Optional[str] = None,
        *,
        messages: Optional[Messages] = None,
        temperature: Optional[float] = None,
        max_tokens: Optional[int] = None,
        fallbacks: Optional[Fallbacks] = None,
        **config: Any,
    ) -> TextResponse:
        """Generate text, and wait for it.

            answer = client.text.generate("Name three rivers of China.")
            print(answer.text)

        Raises:
            ValueError: not exactly one of `prompt` and `messages` is given.
            InvalidRequestError: the platform cannot do this, or the prompt is too long
                (`error_code` is then `CONTEXT_LENGTH_EXCEEDED`).
            TaskFailedError: the generation failed.
            TaskTimeoutError: it did not end within `poll_timeout`; it goes on as `.task_id`.
        """
        options = _options(temperature, max_tokens, config)
        body = _bodies.text_body(prompt, messages, provider, model, options)
        result: TextResponse = self._run(body, TextResponse, fallbacks=fallbacks)
        return result

    def generate_async(
        self,
        prompt: Optional[str] = None,
        provider: Optional[str] = None,
        model: Optional[str] = None,
        *,
        messages: Optional[Messages] = None,
        temperature: Optional[float] = None,
        max_tokens: Optional[int] = None,
        fallbacks: Optional[Fallbacks] = None,
        **config: Any,
    ) -> TaskHandle[TextResponse]:
        """Hand the generation over as a task, and return at once.

            task = client.text.generate_async("Write a long story.")
            ...  # do something else
            print(task.wait().text)

        Raises:
            ValueError: not exactly one of `prompt` and `messages` is given.
            InvalidRequestError: the platform cannot do this.
        """
        options = _options(temperature, max_tokens, config)
        body = _bodies.text_body(prompt, messages, provider, model, options)
        return TaskHandle._begin(self, body, TextResponse, fallbacks)

    def stream(
        self,
        prompt: Optional[str] = None,
        provider: Optional[str] = None,
        model: Optional[str] = None,
        *,
        messages: Optional[Messages] = None,
        temperature: Optional[float] = None,
        max_tokens: Optional[int] = None,
        fallbacks: Optional[Fallbacks] = None,
        **config: Any,
    ) -> TextStream:
        """Generate text, and read it while it comes. Nothing is sent before the first is asked for.

            for chunk in client.text.stream("Tell me a story."):
                print(chunk.get("delta", {}).get("content", ""), end="")

        Raises, while it is read:
            StreamInterruptedError: the connection broke; `.partial_text` is what had come.
            StreamError: the generation failed.
        """
        options = _options(temperature, max_tokens, config)
        body = _bodies.text_body(prompt, messages, provider, model, options, stream=True)
        return self._streamed(body, fallbacks)

    def _streamed(
        self, body: JSONObject, fallbacks: Optional[Fallbacks], deadline: Optional[float] = None
    ) -> TextStream:
        call = self._client.stream_call("POST", "/invoke", body)
        if deadline is not None:
            call = call._replace(deadline=deadline)
        if not fallbacks:
            return TextStream(self._client, call)
        from nexusai._internal._choices import Choices
        from nexusai._internal._fallbacks import FallbackProcessor

        processor = FallbackProcessor(self._client, call, Choices(body, fallbacks))
        return TextStream(self._client, call, processor)

    def parse(
        self,
        prompt: Optional[str] = None,
        schema: Any = None,
        provider: Optional[str] = None,
        model: Optional[str] = None,
        *,
        messages: Optional[Messages] = None,
        temperature: Optional[float] = 0.0,
        max_tokens: Optional[int] = None,
        fallbacks: Optional[Fallbacks] = None,
        **config: Any,
    ) -> Any:
        """Generate a value of a type: a pydantic class, a dataclass, `list[int]`.

            class City(pydantic.BaseModel):
                name: str
                country: str

            city = client.text.parse("The largest city of Japan", City)

        The platform is given the type's JSON schema. What does not fit is sent back once, with what is
        wrong; what does not fit then either is an error.

        Raises:
            ValueError: not exactly one of `prompt` and `messages` is given.
            InvalidResponseError: the model did not give such a value. `raw_text` is what it gave, and
                `problems` says what is wrong with it.
        """
        adapter = TypeAdapter(schema)
        form = _prompts.json_format(adapter, getattr(schema, "__name__", "answer"))
        _bodies.text_body(prompt, messages, provider, model, {})  # exactly one of the two
        turns = _prompts.json_messages(prompt, messages, form)
        options = _options(temperature, max_tokens, {"response_format": form, **config})
        deadline = self._client.deadline()  # of both answers together

        def ask(turns: Messages) -> TextResponse:
            body = _bodies.text_body(None, turns, provider, model, options)
            response: TextResponse = self._run(body, TextResponse, fallbacks=fallbacks, deadline=deadline)
            return response

        answer = ask(turns)
        try:
            return adapter.validate_json(_prompts.unfenced(answer.text))
        except ValidationError as error:
            turns = _prompts.repair_messages(turns, answer.text, _prompts.problems_of(error))
        answer = ask(turns)
        try:
            return adapter.validate_json(_prompts.unfenced(answer.text))
        except ValidationError as error:
            problems = _prompts.problems_of(error)
            raise InvalidResponseError(
                f"The model gave nothing that fits the schema: {problems}",
                request_id=answer.request_id,
                raw_text=answer.text,
                problems=problems,
            ) from error


def _options(
    temperature: Optional[float], max_tokens: Optional[int], config: Dict[str, Any]
) -> Dict[str, Any]:
    return {"temperature": temperature, "max_tokens": max_tokens, **config}


_default = TextResource(default_internal_client)
generate: Final = _default.generate
generate_async: Final = _default.generate_async
parse: Final = _default.parse
stream: Final = _default.stream
