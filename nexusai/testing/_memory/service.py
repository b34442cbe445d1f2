"""Which call is answered by what."""

from __future__ import annotations

import re
from typing import Any, Callable, List, Optional, Tuple

from nexusai.testing._calls import Call
from nexusai.testing._memory.embeddings import Embeddings
from nexusai.testing._memory.files import Files
from nexusai.testing._memory.knowledge_bases import KnowledgeBases
from nexusai.testing._memory.replies import RefusalError, error_reply
from nexusai.testing._memory.sessions import Sessions
from nexusai.testing._memory.store import Store
from nexusai.testing._memory.tasks import Tasks
from nexusai.testing._wire import Reply

_ID = "([^/]+)"


class Service:
    """A platform that answers by the contract, with what it was told or of itself."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.store = Store(clock)
        tasks, files = Tasks(self.store), Files(self.store)
        self.sessions = Sessions(self.store, tasks)
        bases, embeddings = KnowledgeBases(self.store, tasks, files), Embeddings(self.store)
        self._routes: List[Tuple[str, str, Callable[..., Reply]]] = [
            ("POST", "/invoke", tasks.invoke),
            ("GET", "/tasks", tasks.list),
            ("GET", f"/tasks/{_ID}", tasks.get),
            ("GET", f"/tasks/{_ID}/events", tasks.follow),
            ("POST", f"/tasks/{_ID}/cancel", tasks.cancel),
            ("POST", "/files", files.upload),
            ("GET", "/files", files.list),
            ("GET", f"/files/{_ID}", files.get),
            ("GET", f"/files/{_ID}/content", files.content),
            ("DELETE", f"/files/{_ID}", files.delete),
            ("POST", "/sessions", self.sessions.create),
            ("GET", "/sessions", self.sessions.list),
            ("GET", f"/sessions/{_ID}", self.sessions.get),
            ("DELETE", f"/sessions/{_ID}", self.sessions.delete),
            ("GET", f"/sessions/{_ID}/history", self.sessions.history),
            ("POST", f"/sessions/{_ID}/invoke", self.sessions.invoke),
            ("POST", "/knowledge-bases", bases.create),
            ("GET", "/knowledge-bases", bases.list),
            ("POST", "/knowledge-bases/search", bases.search),
            ("GET", f"/knowledge-bases/{_ID}", bases.get),
            ("DELETE", f"/knowledge-bases/{_ID}", bases.delete),
            ("POST", f"/knowledge-bases/{_ID}/documents", bases.add_document),
            ("GET", f"/knowledge-bases/{_ID}/documents", bases.list_documents),
            ("DELETE", f"/knowledge-bases/{_ID}/documents/{_ID}", bases.delete_document),
            ("POST", "/embeddings", embeddings.create),
            ("POST", "/embeddings/batch", embeddings.create),
            ("GET", "/embeddings/models", embeddings.list_models),
            ("GET", "/embeddings/health", embeddings.health),
            ("GET", "/models", embeddings.list_all_models),
            ("GET", "/health", embeddings.platform_health),
        ]

    def reply(self, call: Call, answer: Any) -> Optional[Reply]:
        """What the platform says to a call, with the scripted answer where there is one.

        None where there is no such address.
        """
        for method, pattern, handle in self._routes:
            found = re.fullmatch(pattern, call.path) if method == call.method else None
            if found is not None:
                try:
                    reply = handle(call, answer, *found.groups())
                except RefusalError as refusal:
                    reply = error_reply(refusal.status, str(refusal), self.store.now())
                return reply._replace(headers={**reply.headers, "x-request-id": self.store.new("req")})
        return None
