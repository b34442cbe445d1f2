"""Pictures: what sizes there are, and the work of drawing them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from nexus_server.errors import InvalidRequest
from nexus_server.providers.base import ImageProvider, ImageRequest, OnProgress, Picture
from nexus_server.providers.registry import ProviderRegistry
from nexus_server.services.files import FileService, Staging, content_url, output_record
from nexus_server.services.work import Done
from nexus_server.store.files import FileRecord
from nexus_server.store.tasks import TaskRecord

ASPECT_RATIOS = {
    "1:1": (1024, 1024),
    "16:9": (1344, 756),
    "9:16": (756, 1344),
    "4:3": (1152, 864),
    "3:4": (864, 1152),
    "21:9": (1512, 648),
}
"""The contract's ratios, each as about a million pixels."""

_DEFAULT_SIZE = "1024x1024"  # older clients send it beside every `aspect_ratio`, too

SMALLEST, LARGEST = 256, 2048
"""Pixels of a side."""

MOST_IMAGES = 4
"""Pictures of one task."""


def picture_size(config: Mapping[str, Any]) -> tuple[int, int]:
    """Width and height, as `size` or `aspect_ratio` say; 1024 × 1024 if neither does.

    Raises:
        InvalidRequest: both are given, or one says what cannot be.
    """
    size, ratio = config.get("size"), config.get("aspect_ratio")
    if size not in (None, _DEFAULT_SIZE) and ratio is not None:
        raise InvalidRequest("Give either `size` or `aspect_ratio`, not both.")
    if ratio is not None:
        if ratio not in ASPECT_RATIOS:
            raise InvalidRequest(f"`aspect_ratio` is one of {', '.join(ASPECT_RATIOS)}.")
        return ASPECT_RATIOS[ratio]
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", _DEFAULT_SIZE if size is None else str(size))
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST):
        raise InvalidRequest(
            f"`size` is WIDTHxHEIGHT in pixels, each from {SMALLEST} to {LARGEST}, such as 1024x1024."
        )
    return width, height


def picture_count(config: Mapping[str, Any]) -> int:
    """How many pictures `num_images` asks for.

    Raises:
        InvalidRequest: it is no number from 1 to `MOST_IMAGES`.
    """
    count = config.get("num_images")
    if count is None:
        return 1
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_IMAGES:
        raise InvalidRequest(f"`num_images` is a whole number from 1 to {MOST_IMAGES}.")
    return count


class ImageWork:
    """Draws what a task asks for, and keeps the pictures as files."""

    def __init__(self, registry: ProviderRegistry, files: FileService) -> None:
        self._registry = registry
        self._files = files

    async def __call__(self, task: TaskRecord, on_progress: OnProgress) -> Done:
        """One attempt."""
        width, height = picture_size(task.config)
        request = ImageRequest(
            model=task.model,
            prompt=task.input["prompt"],
            width=width,
            height=height,
            count=picture_count(task.config),
            options=task.config,
        )
        pictures = await self._registry.get(task.provider, ImageProvider).draw(request, on_progress)
        staged = [(picture, self._files.stage()) for picture in pictures]
        try:
            records = [
                await asyncio.to_thread(_write, task, index, *each) for index, each in enumerate(staged)
            ]
        except BaseException:
            _discard(staged)
            raise

        async def keep(connection: AsyncConnection) -> None:
            for record in records:
                await self._files.keep_output(connection, record)

        return Done(_output(task, pictures, records), keep, lambda: _discard(staged))


def _write(task: TaskRecord, index: int, picture: Picture, staging: Staging) -> FileRecord:
    extension = picture.content_type.rpartition("/")[2]
    with staging.create() as file:
        file.write(picture.data)
    return output_record(
        staging,
        api_key_id=task.api_key_id,
        task_id=task.id,
        filename=f"image-{index + 1}.{extension}",
        content_type=picture.content_type,
    )


def _discard(staged: list[tuple[Picture, Staging]]) -> None:
    for _, staging in staged:
        staging.discard()


def _output(task: TaskRecord, pictures: list[Picture], records: list[FileRecord]) -> dict[str, Any]:
    images = [
        {"url": content_url(record.id), "width": picture.width, "height": picture.height, "index": index}
        for index, (picture, record) in enumerate(zip(pictures, records, strict=True))
    ]
    first = pictures[0]
    output = {
        "image_url": images[0]["url"],
        "width": first.width,
        "height": first.height,
        "images": images,
        "model": task.model,
        **first.details,
    }
    if first.revised_prompt is not None:
        output["revised_prompt"] = first.revised_prompt
    return output
