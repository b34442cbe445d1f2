"""The same platform in OpenAI's words, at `/v1`: for tools that know nothing else.

Nothing is done here: every call is a task like any other, of the same key and under the same limits.
"""

from __future__ import annotations

from fastapi import Depends, FastAPI

from nexus_server.auth import require_caller
from nexus_server.routes.openai import audio, chat, embeddings, images, models
from nexus_server.routes.openai.errors import OpenAIErrorBody, install_error_handlers


def create_openai_app(parent: FastAPI) -> FastAPI:
    """An application of its own, so that its errors and its `/openapi.json` are of one piece."""
    app = FastAPI(
        title="Nexus AI, in OpenAI's words",
        summary="Chat completions, embeddings, audio, images and models.",
        version="1",
        docs_url=None,  # as in the application around it: no page of this origin loads a stranger's script
        redoc_url=None,
        dependencies=[Depends(require_caller)],
        responses={"default": {"model": OpenAIErrorBody, "description": "An error"}},
    )
    app.state = parent.state
    install_error_handlers(app)
    for module in (chat, embeddings, audio, images, models):
        app.include_router(module.router)
    return app


__all__ = ["create_openai_app"]
