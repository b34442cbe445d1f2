"""`/v1/images/generations`."""

from __future__ import annotations

import asyncio
import base64
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from nexus_server.auth import CallerDep
from nexus_server.routes.dependencies import OriginDep, PlatformDep
from nexus_server.routes.fingerprint import fingerprint
from nexus_server.routes.openai.errors import unsuccessful_answer
from nexus_server.routes.openai.running import choose_model, run_to_end, without_none
from nexus_server.routes.responses import answer
from nexus_server.services.files import file_id_of
from nexus_server.services.images import picture_count, picture_size
from nexus_server.services.platform import Platform
from nexus_server.services.tasks import NewTask
from nexus_server.store.tasks import TaskRecord

router = APIRouter(tags=["images"])


class ImagesBody(BaseModel):
    """The body of an image generation. Options not named here go to the model's provider as they are.

    A `url` needs the API key to be fetched, as everything here does.
    """

    model_config = ConfigDict(extra="allow")

    prompt: str = Field(min_length=1, max_length=10_000)
    model: str | None = Field(default=None, max_length=255)
    n: int | None = None
    size: str | None = None
    response_format: Literal["url", "b64_json"] | None = None

    def config(self) -> dict[str, Any]:
        """The contract's options."""
        size = None if self.size == "auto" else self.size
        return without_none({**(self.model_extra or {}), "num_images": self.n, "size": size})


@router.post("/images/generations")
async def generate_images(
    body: ImagesBody, request: Request, platform: PlatformDep, caller: CallerDep, origin: OriginDep
) -> Response:
    """Draw pictures; `url` is the default form, as it is OpenAI's."""
    fingerprint(body)  # sees that it can be written down
    config = body.config()
    picture_size(config)
    picture_count(config)
    provider, model = choose_model(platform, "image_generation", body.model)
    new = NewTask(
        api_key_id=caller.api_key_id,
        task_type="image_generation",
        provider=provider,
        model=model,
        input={"prompt": body.prompt},
        config=config,
    )
    task = await run_to_end(platform, request, new)
    if task.status != "completed":
        return unsuccessful_answer(task)
    rows = [
        await _row(platform, task, image["url"], origin, encoded=body.response_format == "b64_json")
        for image in (task.output or {})["images"]
    ]
    return answer({"created": task.created_at // 1000, "data": rows})


async def _row(
    platform: Platform, task: TaskRecord, url: str, origin: str, *, encoded: bool
) -> dict[str, Any]:
    row = without_none({"revised_prompt": (task.output or {}).get("revised_prompt")})
    if not encoded:
        return {**row, "url": origin + url}
    _, path = await platform.files.path_of(task.api_key_id, file_id_of(url))
    data = await asyncio.to_thread(path.read_bytes)
    return {**row, "b64_json": base64.b64encode(data).decode("ascii")}
