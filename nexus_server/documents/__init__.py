"""Documents: what is written in a file, and how it is cut into passages."""

from nexus_server.documents.chunking import Chunk, chunk
from nexus_server.documents.parsing import Limits, parse
from nexus_server.documents.reading import Document, Page

__all__ = ["Chunk", "Document", "Limits", "Page", "chunk", "parse"]
