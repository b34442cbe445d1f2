"""What the platform returns.

Fields that are not named here are kept, and reachable as attributes: a newer platform never breaks
an older client. Every result tells its `request_id`.
"""

from __future__ import annotations

import base64
import math
import re
import sys
from array import array
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Callable, ClassVar, Dict, Generic, List, Optional, TypeVar

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from typing_extensions import Annotated

from nexusai.types import TERMINAL_STATUSES

__all__ = [
    "Answer",
    "Deletion",
    "Document",
    "DocumentOutput",
    "Embedding",
    "EmbeddingModel",
    "EmbeddingsHealth",
    "EmbeddingsResponse",
    "File",
    "Image",
    "KnowledgeBase",
    "Message",
    "Model",
    "ModelInfo",
    "Page",
    "Result",
    "Route",
    "SearchResponse",
    "SearchResult",
    "SessionModel",
    "SessionResponse",
    "TTSResponse",
    "Task",
    "TaskFailure",
    "TextResponse",
    "TranscriptSegment",
    "TranscriptionResponse",
    "Usage",
]

T = TypeVar("T")
U = TypeVar("U")


def _utc(value: Any) -> Any:
    """Times with an offset and a `Z`, or with no zone at all, have been seen on the wire."""
    if isinstance(value, str):
        value = re.sub(r"([+-]\d\d:?\d\d)Z$", r"\1", value.strip())
        if not re.search(r"(Z|[+-]\d\d:?\d\d)$", value, re.IGNORECASE):
            value += "Z"
    elif isinstance(value, datetime) and value.tzinfo is None:
        value = value.replace(tzinfo=timezone.utc)
    return value


Time = Annotated[datetime, BeforeValidator(_utc)]
"""An aware datetime, read leniently."""


class Model(BaseModel):
    """The base of everything that the platform returns."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="allow",
        protected_namespaces=(),
        defer_build=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
    )


@dataclass(frozen=True)
class Route:
    """One of those whom a call with `fallbacks` may ask.

    Attributes:
        index: 0 is whom the call itself names, 1 its first fallback.
        provider: as it was asked for, like `model`; None where the platform chooses.
    """

    index: int
    provider: Optional[str]
    model: Optional[str]


class Result(Model):
    """The base of what a call returns as a whole."""

    _request_id: Optional[str] = PrivateAttr(default=None)
    _from_cache: bool = PrivateAttr(default=False)
    _route: Optional[Route] = PrivateAttr(default=None)

    @property
    def request_id(self) -> Optional[str]:
        """What to quote when asking the platform's operators about this call."""
        return self._request_id

    @property
    def from_cache(self) -> bool:
        """Whether the client's cache had it, and nothing was sent; the request id is then the first one's."""
        return self._from_cache

    @property
    def route(self) -> Optional[Route]:
        """Who answered, of those that a call with `fallbacks` named; None where it had none."""
        return self._route


class Usage(Model):
    """Tokens of a call."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class TextResponse(Result):
    """Generated text.

    Attributes:
        finish_reason: `stop` where the model ended by itself, `length` where `max_tokens` cut it.
    """

    text: str
    usage: Optional[Usage] = None
    model: Optional[str] = None
    finish_reason: Optional[str] = None


class TaskFailure(Model):
    """Why a task failed."""

    code: str = "TASK_FAILED"
    message: str = "The platform gave no reason."

    @model_validator(mode="before")
    @classmethod
    def _however_told(cls, value: Any) -> Any:
        """A text alone is the message, and what is empty is not told: that the task failed is known."""
        if isinstance(value, cls):
            return value
        told = dict(value) if isinstance(value, dict) else {"message": value}
        reason = {name: str(told.pop(name)) for name in cls.model_fields if told.get(name)}
        return {**{name: fact for name, fact in told.items() if name not in cls.model_fields}, **reason}


class Task(Result):
    """Work that the platform has accepted.

    Attributes:
        status: `pending`, `queued`, `running`, `completed`, `failed`, `cancelled`; a newer platform
            may know others.
        progress: 0 to 100, where the platform tells.
        output: the result, by the contract of its `task_type`; None until it has completed.
    """

    task_id: str
    status: str
    task_type: Optional[str] = None
    created_at: Optional[Time] = None
    started_at: Optional[Time] = None
    finished_at: Optional[Time] = None
    progress: Optional[float] = None
    output: Optional[Dict[str, Any]] = None
    error: Optional[TaskFailure] = None

    @property
    def has_ended(self) -> bool:
        """Whether the task has reached its end, good or bad."""
        return self.status in TERMINAL_STATUSES


class File(Result):
    """An uploaded file.

    Attributes:
        size: in bytes.
    """

    file_id: str
    filename: str = ""
    content_type: Optional[str] = Field(
        default=None, validation_alias=AliasChoices("content_type", "mime_type")
    )
    size: Optional[int] = None
    created_at: Optional[Time] = None


class Deletion(Result):
    """That something is gone."""

    message: str = ""
    deleted_count: int = 1


class Image(Result):
    """A generated picture.

    Attributes:
        image_url: where it is: at the platform, which asks for the key, elsewhere, or a `data:` URL.
        width: in pixels; so is `height`.
        revised_prompt: what the model made of the prompt, where it tells.
        images: all pictures of the task, where it made several; this one is the first.
    """

    image_url: str
    width: int = 0
    height: int = 0
    revised_prompt: Optional[str] = None
    images: List[Image] = []

    @model_validator(mode="before")
    @classmethod
    def _either_shape(cls, value: Any) -> Any:
        """`{image_url, …}`, `{images: [{url, …}]}`, and an item of the latter."""
        if not isinstance(value, dict) or "image_url" in value:
            return value
        images = value.get("images")
        first = images[0] if isinstance(images, list) and images else value
        if not isinstance(first, dict):
            return value
        return {**value, **first, "image_url": first.get("image_url", first.get("url"))}


class TranscriptSegment(Model):
    """What was said between two moments, in seconds."""

    start: float
    end: float
    text: str


class TranscriptionResponse(Result):
    """What is said in a recording.

    Attributes:
        language: its code, such as `zh`.
        duration: of the recording, in seconds.
    """

    text: str
    language: Optional[str] = None
    duration: Optional[float] = None
    segments: List[TranscriptSegment] = []


class TTSResponse(Result):
    """A text that was read aloud.

    Attributes:
        audio_url: where the recording is: see `Image.image_url`.
        duration: in seconds, where the platform tells.
    """

    audio_url: str
    duration: Optional[float] = None
    content_type: Optional[str] = None


class SessionModel(Result):
    """A conversation that the platform remembers.

    Attributes:
        agent_config: model, temperature, system_prompt and what else it was made with.
        message_count: messages so far, where the platform tells.
    """

    session_id: str
    agent_type: str = "assistant"
    agent_config: Dict[str, Any] = Field(default_factory=dict)
    name: Optional[str] = None
    is_active: bool = True
    created_at: Optional[Time] = None
    updated_at: Optional[Time] = None
    message_count: Optional[int] = None


class Message(Model):
    """A message of a conversation."""

    role: str
    content: str
    timestamp: Optional[Time] = None


class SessionResponse(Result):
    """An answer in a conversation.

    Attributes:
        response: the assistant's message.
        metadata: what else the platform tells: `dropped_messages` is how many of the oldest messages
            it left out, because the model cannot read more at once.
    """

    session_id: Optional[str] = None
    response: Message
    usage: Optional[Usage] = None
    metadata: Dict[str, Any] = Field(default_factory=dict)

    @property
    def text(self) -> str:
        """What the assistant said."""
        return self.response.content

    @model_validator(mode="before")
    @classmethod
    def _either_shape(cls, value: Any) -> Any:
        """`{response: {role, content}, usage}`, and `{output: {text}, metadata: {usage}}`."""
        if not isinstance(value, dict) or "response" in value:
            return value
        output, metadata = value.get("output"), value.get("metadata")
        if not isinstance(output, dict):
            return value
        told = metadata if isinstance(metadata, dict) else {}
        message = {"role": "assistant", "content": output.get("text")}
        return {"usage": told.get("usage"), **value, "response": message}


class KnowledgeBase(Result):
    """A collection of documents that can be searched by meaning.

    Attributes:
        chunk_size: characters of a passage; `chunk_overlap` of them repeat the one before.
    """

    kb_id: str
    name: str = ""
    description: Optional[str] = None
    embedding_model: Optional[str] = None
    chunk_size: Optional[int] = None
    chunk_overlap: Optional[int] = None
    document_count: int = 0
    total_chunks: Optional[int] = None
    created_at: Optional[Time] = None
    updated_at: Optional[Time] = None


class Document(Result):
    """A document of a knowledge base.

    Attributes:
        processing_status: `queued`, `processing`, `completed` or `failed`; then `error` says why.
    """

    doc_id: str
    filename: str = ""
    file_type: Optional[str] = None
    file_size: Optional[int] = None
    processing_status: str = "queued"
    chunk_count: int = 0
    uploaded_at: Optional[Time] = None
    processed_at: Optional[Time] = None
    content_preview: Optional[str] = None
    error: Optional[str] = None


class DocumentOutput(Result):
    """What the processing of a document came to."""

    doc_id: Optional[str] = None
    kb_id: Optional[str] = None
    chunk_count: Optional[int] = None
    text: Optional[str] = None


class SearchResult(Model):
    """A passage that was found.

    Attributes:
        similarity_score: 0 to 1, how likely the passage answers the query.
        metadata: `filename`, `chunk_index`, and `page` where the document has pages.
    """

    chunk_id: str
    doc_id: str
    kb_id: Optional[str] = None
    content: str
    similarity_score: float
    metadata: Dict[str, Any] = Field(default_factory=dict)


class SearchResponse(Result):
    """What a search has found, the best first."""

    query: str = ""
    results: List[SearchResult] = Field(default_factory=list)
    total_results: Optional[int] = None


class Answer(Result):
    """An answer from the documents of knowledge bases.

    Attributes:
        found: whether the documents say anything about it. If not, no model was asked, and `text`
            says so.
        sources: the passages that the model was given; `[1]` in the text is the first of them.
    """

    text: str
    found: bool = True
    sources: List[SearchResult] = Field(default_factory=list)
    usage: Optional[Usage] = None


def _vector(value: Any, validated: ValidatorFunctionWrapHandler) -> Any:
    """A vector; as base64 it is float32 in little-endian order, so that none of its floats needs a look."""
    if not isinstance(value, str):
        return validated(value)
    numbers = array("f")
    numbers.frombytes(base64.b64decode(value, validate=True))
    if sys.byteorder == "big":
        numbers.byteswap()
    vector = numbers.tolist()
    if not math.isfinite(sum(vector)):  # as of any of them: float32s never add up to more than a float holds
        raise ValueError("a number is not finite")
    return vector


class Embedding(Model):
    """The vector of one text."""

    embedding: Annotated[List[float], WrapValidator(_vector)]
    index: int = 0


class EmbeddingsResponse(Result):
    """Vectors of texts, in the texts' order."""

    data: List[Embedding]
    model: Optional[str] = None
    usage: Optional[Usage] = None

    @property
    def vectors(self) -> List[List[float]]:
        """The vectors alone."""
        return [row.embedding for row in self.data]

    def to_numpy(self) -> Any:
        """The vectors as an array of float32, one row for each text.

        Raises:
            ImportError: numpy is not installed.
        """
        try:
            import numpy as np
        except ImportError as error:
            raise ImportError("to_numpy() needs numpy: pip install numpy") from error
        return np.array(self.vectors, dtype=np.float32)

    @model_validator(mode="before")
    @classmethod
    def _either_shape(cls, value: Any) -> Any:
        """OpenAI's shape, with floats or base64 of them; and `{vectors: [[…]]}`."""
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("vectors"), list):
            vectors = value["vectors"]
            made = [{"embedding": vector, "index": index} for index, vector in enumerate(vectors)]
            return {**{name: told for name, told in value.items() if name != "vectors"}, "data": made}
        return value

    @model_validator(mode="after")
    def _in_order(self) -> EmbeddingsResponse:
        self.data.sort(key=lambda row: row.index)
        return self


class EmbeddingModel(Model):
    """A model that makes vectors."""

    id: str
    owned_by: Optional[str] = None
    dimensions: Optional[int] = None
    max_input: Optional[int] = None
    description: Optional[str] = None


class EmbeddingsHealth(Result):
    """How the platform's embeddings are."""

    status: str
    service: Optional[str] = None
    embedding_service: Optional[str] = None
    model_dimension: Optional[int] = None
    timestamp: Optional[Time] = None


class ModelInfo(Model):
    """A model that the platform can run now."""

    id: str
    owned_by: Optional[str] = None
    task_types: List[str] = []
    default_for: List[str] = []


class Page(List[T], Generic[T]):
    """One page of a listing: a list that knows where it stands.

    Attributes:
        total: items on all pages; None where the platform does not tell.
        page: this page's number, from 1.
        per_page: items on a full page.
        pages: how many pages there are; None where the platform does not tell.
        from_cache: whether the client's cache had it, and nothing was sent.
    """

    total: Optional[int] = None
    page: int = 1
    per_page: int = 20
    pages: Optional[int] = None
    request_id: Optional[str] = None
    from_cache: bool = False

    def map(self, change: Callable[[T], U]) -> Page[U]:
        """The same page, with each item changed."""
        other: Page[U] = Page(change(item) for item in self)
        other.__dict__.update(self.__dict__)
        return other


TASK_OUTPUTS: Dict[str, Any] = {
    "text_generation": TextResponse,
    "image_generation": Image,
    "speech_to_text": TranscriptionResponse,
    "text_to_speech": TTSResponse,
    "document_processing": DocumentOutput,
}
"""The model of a task's output, by task type."""
