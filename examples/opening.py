"""How the examples reach a platform.

With an API key in NEXUS_API_KEY or .env it is the one at NEXUS_BASE_URL; without, the one on this machine,
which is started if none runs. Your own program needs only one of the two lines.
"""

from nexusai import AsyncNexusAIClient, NexusAIClient, config


def open_client() -> NexusAIClient:
    """A client, for `with`."""
    if config.api_key:
        return NexusAIClient()
    return NexusAIClient.local()


async def async_open_client() -> AsyncNexusAIClient:
    """The same, for `async with await`."""
    if config.api_key:
        return AsyncNexusAIClient()
    return await AsyncNexusAIClient.local()
