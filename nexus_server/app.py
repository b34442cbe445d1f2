"""The application: routers, error handlers, middleware, and the services behind them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.routing import Mount

from nexus_server import routes
from nexus_server.providers.base import Provider
from nexus_server.routes.middleware import BodyLimitMiddleware, RateLimitMiddleware, RequestIdMiddleware
from nexus_server.routes.openai import create_openai_app
from nexus_server.routes.responses import install_error_handlers
from nexus_server.routes.schemas import ErrorBody
from nexus_server.services.platform import open_platform
from nexus_server.settings import ServerSettings


def create_app(settings: ServerSettings, providers: Sequence[Provider] | None = None) -> FastAPI:
    """The platform as an ASGI application; `providers` replaces those that the settings name."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_platform(settings, providers) as platform:
            app.state.platform = platform
            yield

    app = FastAPI(
        title="Nexus AI",
        summary="Text, images, speech, files, sessions, knowledge bases and embeddings.",
        version="1",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's pages load a stranger's scripts, at the origin of the console's key
        redoc_url=None,
        responses={"default": {"model": ErrorBody, "description": "An error"}},
    )
    install_error_handlers(app)
    # The last one added is the outermost.
    app.add_middleware(BodyLimitMiddleware, limit=settings.max_body_bytes)
    app.add_middleware(RequestIdMiddleware)
    app.add_middleware(RateLimitMiddleware)
    app.include_router(routes.public)
    app.include_router(routes.api)
    openai = Mount("/v1", create_openai_app(app))
    openai.path_regex = re.compile(openai.path_regex.pattern, re.DOTALL)  # a newline is no way out of it
    app.routes.append(openai)
    return app
