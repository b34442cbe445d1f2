"""What is refused, call by call: the tests ask for each row, and the docs show them.

`{…}` stands for the id of a thing that `test_bad_input.py` makes; `{gone_…}` of one that it has deleted.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Row(NamedTuple):
    """One bad request and its answer."""

    call: str
    what: str
    status: int
    code: str
    body: Any = None
    """JSON, if it is no `bytes`: those are sent as the form's `file`, named `name`."""
    name: str = "note.txt"


def _invoke(task_type: str, given: Any, **config: Any) -> dict[str, Any]:
    return {"task_type": task_type, "input": given, "config": config}


LIMIT = 200_000
"""Bytes of the largest file in the tests; a body may have half of that."""

_NONE, _WRONG = "NOT_FOUND", "VALIDATION_ERROR"
_BAD, _LARGE, _TYPE = "INVALID_REQUEST", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE"
_TEXT, _IMAGE, _HEAR = "text_generation", "image_generation", "speech_to_text"
_SPEAK, _READ = "text_to_speech", "document_processing"
_BASE = "/knowledge-bases"
_QUERY = {"query": "q", "knowledge_base_ids": ["{kb}"]}

ROWS = [
    Row("POST /invoke", "no body", 422, _WRONG),
    Row("POST /invoke", "no such task type", 422, _WRONG, _invoke("song_writing", {})),
    Row("POST /invoke", "body too large", 413, _LARGE, _invoke(_TEXT, {"prompt": "x" * LIMIT})),
    Row(
        "POST /invoke",
        "`config` is no object",
        422,
        _WRONG,
        {**_invoke(_TEXT, {"prompt": "hi"}), "config": []},
    ),
    Row(
        "POST /invoke",
        "no such provider",
        400,
        _BAD,
        {**_invoke(_TEXT, {"prompt": "hi"}), "provider": "none"},
    ),
    Row(
        "POST /invoke",
        "a webhook to a private address",
        400,
        _BAD,
        {**_invoke(_TEXT, {"prompt": "hi"}), "webhook_url": "http://127.0.0.1:9/"},
    ),
    Row("POST /invoke (text)", "neither prompt nor messages", 422, _WRONG, _invoke(_TEXT, {})),
    Row("POST /invoke (text)", "an empty prompt", 422, _WRONG, _invoke(_TEXT, {"prompt": ""})),
    Row("POST /invoke (text)", "a prompt that is a number", 422, _WRONG, _invoke(_TEXT, {"prompt": 7})),
    Row(
        "POST /invoke (text)",
        "half a character (a lone surrogate)",
        400,
        _BAD,
        _invoke(_TEXT, {"prompt": "\ud800"}),
    ),
    Row(
        "POST /invoke (text)",
        "no such role",
        422,
        _WRONG,
        _invoke(_TEXT, {"messages": [{"role": "king", "content": "hi"}]}),
    ),
    Row(
        "POST /invoke (text)",
        "no such model",
        400,
        _BAD,
        {**_invoke(_TEXT, {"prompt": "hi"}), "model": "none"},
    ),
    Row("POST /invoke (image)", "no prompt", 422, _WRONG, _invoke(_IMAGE, {})),
    Row("POST /invoke (image)", "prompt too long", 422, _WRONG, _invoke(_IMAGE, {"prompt": "x" * 10_001})),
    Row(
        "POST /invoke (image)", "a size that is none", 400, _BAD, _invoke(_IMAGE, {"prompt": "a"}, size="big")
    ),
    Row(
        "POST /invoke (image)", "a size too large", 400, _BAD, _invoke(_IMAGE, {"prompt": "a"}, size="9999x1")
    ),
    Row(
        "POST /invoke (image)",
        "an unknown ratio",
        400,
        _BAD,
        _invoke(_IMAGE, {"prompt": "a"}, aspect_ratio="2:1"),
    ),
    Row(
        "POST /invoke (image)",
        "too many pictures",
        400,
        _BAD,
        _invoke(_IMAGE, {"prompt": "a"}, num_images=99),
    ),
    Row(
        "POST /invoke (image)",
        "`stream`, which is for text",
        400,
        _BAD,
        {**_invoke(_IMAGE, {"prompt": "a"}), "stream": True},
    ),
    Row("POST /invoke (recording)", "no file", 422, _WRONG, _invoke(_HEAR, {})),
    Row("POST /invoke (recording)", "an unknown file", 404, _NONE, _invoke(_HEAR, {"file_id": "file_none"})),
    Row("POST /invoke (recording)", "a deleted file", 404, _NONE, _invoke(_HEAR, {"file_id": "{gone_file}"})),
    Row(
        "POST /invoke (recording)",
        "a file that is no recording",
        400,
        _BAD,
        _invoke(_HEAR, {"file_id": "{file}"}),
    ),
    Row(
        "POST /invoke (recording)",
        "an unknown language",
        400,
        _BAD,
        _invoke(_HEAR, {"file_id": "{recording}"}, language="xx"),
    ),
    Row("POST /invoke (speech)", "no text", 422, _WRONG, _invoke(_SPEAK, {})),
    Row("POST /invoke (speech)", "nothing to read", 400, _BAD, _invoke(_SPEAK, {"text": "…"})),
    Row("POST /invoke (speech)", "no such voice", 400, _BAD, _invoke(_SPEAK, {"text": "hi"}, voice="none")),
    Row("POST /invoke (speech)", "no such format", 400, _BAD, _invoke(_SPEAK, {"text": "hi"}, format="doc")),
    Row(
        "POST /invoke (speech)",
        "a speed that is none",
        400,
        _BAD,
        _invoke(_SPEAK, {"text": "hi"}, speed="fast"),
    ),
    Row(
        "POST /invoke (speech)",
        "Chinese for a voice that speaks English only",
        400,
        _BAD,
        _invoke(_SPEAK, {"text": "你好"}, voice="heart"),
    ),
    Row("POST /invoke (document)", "a deleted file", 404, _NONE, _invoke(_READ, {"file_id": "{gone_file}"})),
    Row("POST /invoke (document)", "a recording", 400, _BAD, _invoke(_READ, {"file_id": "{recording}"})),
    Row("GET /tasks/task_none", "an unknown id", 404, _NONE),
    Row("GET /tasks?status=sleeping", "no such status", 422, _WRONG),
    Row("GET /tasks?page=0", "a page out of range", 422, _WRONG),
    Row("POST /tasks/task_none/cancel", "an unknown id", 404, _NONE),
    Row("POST /tasks/{task}/cancel", "a task that has ended", 409, "CONFLICT"),
    Row("POST /files", "no form", 400, _BAD, {}),
    Row("POST /files", "an empty file", 400, _BAD, b""),
    Row("POST /files", "too large", 413, _LARGE, b"x" * (LIMIT + 1)),
    Row("POST /files", "a type that is not taken", 415, _TYPE, b"MZ\x90\x00" + b"\0" * 60, "setup.exe"),
    Row("POST /files", "a name that belies the content", 415, _TYPE, b"MZ\x90\x00" + b"\0" * 60, "note.pdf"),
    Row("GET /files?per_page=1000", "too many at once", 422, _WRONG),
    Row("GET /files/file_none", "an unknown id", 404, _NONE),
    Row("GET /files/{gone_file}/content", "a deleted file", 404, _NONE),
    Row("DELETE /files/{gone_file}", "a deleted file", 404, _NONE),
    Row("POST /sessions", "`agent_config` is no object", 422, _WRONG, {"agent_config": "short"}),
    Row("POST /sessions", "a name too long", 422, _WRONG, {"name": "x" * 10_000}),
    Row("GET /sessions/sess_none", "an unknown id", 404, _NONE),
    Row("GET /sessions/{gone_session}/history", "a deleted session", 404, _NONE),
    Row("POST /sessions/{session}/invoke", "no prompt", 400, _BAD, {}),
    Row("POST /sessions/{session}/invoke", "a prompt that is a list", 422, _WRONG, {"prompt": ["hi"]}),
    Row("POST /sessions/{gone_session}/invoke", "a deleted session", 404, _NONE, {"prompt": "hi"}),
    Row("DELETE /sessions/{gone_session}", "a deleted session", 404, _NONE),
    Row(f"POST {_BASE}", "no name", 422, _WRONG, {}),
    Row(
        f"POST {_BASE}",
        "an overlap as large as a chunk",
        422,
        _WRONG,
        {"name": "x", "chunk_size": 100, "chunk_overlap": 100},
    ),
    Row(f"POST {_BASE}", "no such model", 400, _BAD, {"name": "x", "embedding_model": "none"}),
    Row(f"GET {_BASE}/kb_none", "an unknown id", 404, _NONE),
    Row(f"DELETE {_BASE}/{{gone_kb}}", "a deleted one", 404, _NONE),
    Row(f"POST {_BASE}/{{kb}}/documents", "neither a file nor an id", 422, _WRONG, {}),
    Row(f"POST {_BASE}/{{kb}}/documents", "a deleted file", 404, _NONE, {"file_id": "{gone_file}"}),
    Row(f"POST {_BASE}/{{kb}}/documents", "a recording", 400, _BAD, {"file_id": "{recording}"}),
    Row(f"POST {_BASE}/{{gone_kb}}/documents", "a deleted one", 404, _NONE, {"file_id": "{file}"}),
    Row(f"DELETE {_BASE}/{{kb}}/documents/doc_none", "an unknown document", 404, _NONE),
    Row(f"POST {_BASE}/search", "no query", 422, _WRONG, {"knowledge_base_ids": ["{kb}"]}),
    Row(f"POST {_BASE}/search", "no knowledge base", 422, _WRONG, {"query": "q", "knowledge_base_ids": []}),
    Row(f"POST {_BASE}/search", "a threshold above 1", 422, _WRONG, {**_QUERY, "similarity_threshold": 1.5}),
    Row(f"POST {_BASE}/search", "a deleted one", 404, _NONE, {**_QUERY, "knowledge_base_ids": ["{gone_kb}"]}),
    Row("POST /embeddings", "no input", 422, _WRONG, {}),
    Row("POST /embeddings", "an empty text", 422, _WRONG, {"input": ["a", ""]}),
    Row("POST /embeddings", "too many texts", 422, _WRONG, {"input": ["a"] * 2049}),
    Row("POST /embeddings", "no such model", 400, _BAD, {"input": "a", "model": "none"}),
    Row("POST /embeddings", "no such encoding", 422, _WRONG, {"input": "a", "encoding_format": "hex"}),
    Row(
        "POST /embeddings", "dimensions that the model has not", 400, _BAD, {"input": "a", "dimensions": 9999}
    ),
    Row("POST /embeddings/batch", "texts that are none", 422, _WRONG, {"texts": [1]}),
]
