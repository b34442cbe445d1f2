"""Images: generate them at once, or as a task."""

from __future__ import annotations

from typing import Any, Final, List, Optional

from pydantic import Field

from nexusai import models
from nexusai._internal import _bodies
from nexusai.aio._internal._default import default_internal_client
from nexusai.aio._internal._media import AsyncMedia, bound
from nexusai.aio._internal._poller import OnProgress
from nexusai.aio._internal._resource import AsyncResource
from nexusai.aio.resources.tasks import AsyncTaskHandle
from nexusai.types import Fallbacks


class AsyncImage(AsyncMedia, models.Image):
    """A generated picture, which can be `read()` or `save()`d."""

    images: List[AsyncImage] = Field(default_factory=list)  # type: ignore[assignment]

    def _address(self) -> str:
        return self.image_url

    def _parts(self) -> List[Any]:
        return list(self.images)


class AsyncImagesResource(AsyncResource):
    """`client.images`.

    `size` is `WIDTHxHEIGHT` in pixels; `aspect_ratio`, given instead of it, one of `1:1`, `16:9`,
    `9:16`, `4:3`, `3:4`, `21:9`. `fallbacks`, such as `[{"provider": …, "model": …}]`,
    are asked in turn where the one before cannot answer: see docs/fallbacks.md. Further options are
    passed on: `num_images`, `seed`, `style` …
    """

    async def generate(
        self,
        prompt: str,
        provider: Optional[str] = None,
        model: Optional[str] = None,
        size: str = "1024x1024",
        quality: str = "standard",
        *,
        on_progress: Optional[OnProgress] = None,
        fallbacks: Optional[Fallbacks] = None,
        **config: Any,
    ) -> AsyncImage:
        """Generate a picture, and wait for it.

            image = client.images.generate("A red house by the sea", aspect_ratio="16:9")
            image.save("house.png")

        With `num_images=3` the answer is the first, and `.images` are all three.

        Raises:
            ValueError: the prompt is empty, or the size is none.
            InvalidRequestError: the platform cannot do this.
            TaskFailedError: it failed.
            TaskTimeoutError: it did not end within `poll_timeout`; it goes on as `.task_id`.
        """
        body = _bodies.image_body(prompt, provider, model, {"size": size, "quality": quality, **config})
        image: AsyncImage = await self._run(body, AsyncImage, on_progress, fallbacks)
        return bound(image, self._client)

    async def generate_async(
        self,
        prompt: str,
        provider: Optional[str] = None,
        model: Optional[str] = None,
        size: str = "1024x1024",
        quality: str = "standard",
        *,
        fallbacks: Optional[Fallbacks] = None,
        **config: Any,
    ) -> AsyncTaskHandle[AsyncImage]:
        """Hand the generation over as a task, and return at once; `wait()` gives the picture.

        Raises:
            ValueError: the prompt is empty, or the size is none.
            InvalidRequestError: the platform cannot do this.
        """
        body = _bodies.image_body(prompt, provider, model, {"size": size, "quality": quality, **config})
        return await AsyncTaskHandle._begin(self, body, AsyncImage, fallbacks)


_default = AsyncImagesResource(default_internal_client)
generate: Final = _default.generate
generate_async: Final = _default.generate_async
