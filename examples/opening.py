"""How the examples reach a platform.

With NEXUS_API_KEY set it is the one at NEXUS_BASE_URL; without, the one on this machine, which is started
if none runs. Your own program needs only one of the two lines.
"""

import os

from nexusai import AsyncNexusAIClient, NexusAIClient


def open_client() -> NexusAIClient:
    """A client, for `with`."""
    if "NEXUS_API_KEY" in os.environ:
        return NexusAIClient()
    return NexusAIClient.local()


async def async_open_client() -> AsyncNexusAIClient:
    """The same, for `async with await`."""
    if "NEXUS_API_KEY" in os.environ:
        return AsyncNexusAIClient()
    return await AsyncNexusAIClient.local()
