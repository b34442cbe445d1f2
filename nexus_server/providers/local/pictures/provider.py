"""The `local` provider of pictures."""

from __future__ import annotations

import asyncio

from nexus_server.errors import InvalidRequest
from nexus_server.providers.base import ImageRequest, OfferedModel, OnProgress, Picture
from nexus_server.providers.local.pictures.illustrator import GENERATOR, MODEL_ID, draw
from nexus_server.providers.local.threads import ShouldStop, StoppedError, run_stoppable


class LocalPictures:
    """The illustrator, in a thread; one task at a time."""

    name = "local"

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(1)

    async def start(self) -> None:
        """Nothing: the art is read when it is first needed."""

    async def close(self) -> None:
        """Nothing."""

    def models(self) -> list[OfferedModel]:
        """The one there is."""
        return [OfferedModel(MODEL_ID, ("image_generation",))]

    async def draw(self, request: ImageRequest, on_progress: OnProgress) -> list[Picture]:
        """Several pictures differ by their seeds."""
        seed = request.options.get("seed")
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
            raise InvalidRequest("`seed` is a whole number.")

        def work(should_stop: ShouldStop) -> list[Picture]:
            pictures = []
            for number in range(request.count):
                if should_stop():
                    raise StoppedError
                pictures.append(_picture(request, (seed or 0) + number))
                on_progress(100 * (number + 1) / request.count)
            return pictures

        async with self._turns:
            return await run_stoppable(work)


def _picture(request: ImageRequest, seed: int) -> Picture:
    drawing = draw(request.prompt, width=request.width, height=request.height, seed=seed)
    details = {"generator": GENERATOR, "drawn": list(drawing.drawn), "ignored": list(drawing.ignored)}
    return Picture(drawing.png, "image/png", request.width, request.height, drawing.revised_prompt, details)
