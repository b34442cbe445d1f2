"""Providers that speak OpenAI's protocol, wherever they are."""

from nexus_server.providers.openai_compatible.chat import stream_chat
from nexus_server.providers.openai_compatible.provider import OpenAICompatibleProvider, open_client

__all__ = ["OpenAICompatibleProvider", "open_client", "stream_chat"]
