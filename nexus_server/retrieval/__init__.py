"""Search: passages by meaning and by words, with scores that can be compared with a threshold."""

from nexus_server.retrieval.index import Hit, Index

__all__ = ["Hit", "Index"]
