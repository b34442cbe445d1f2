"""`/knowledge-bases`."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from nexusai.testing._calls import Call
from nexusai.testing._memory import media
from nexusai.testing._memory.files import Files
from nexusai.testing._memory.outputs import MODEL_OF, cut, extension, nothing, text_of
from nexusai.testing._memory.replies import RefusalError, json_reply
from nexusai.testing._memory.store import Store
from nexusai.testing._memory.tasks import Task, Tasks
from nexusai.testing._script import Making
from nexusai.testing._wire import Reply
from nexusai.types import JSONObject


class KnowledgeBases:
    """Documents that can be searched: what shares words with a query is found."""

    def __init__(self, store: Store, tasks: Tasks, files: Files) -> None:
        self._store = store
        self._tasks = tasks
        self._files = files
        self._bases: Dict[str, JSONObject] = {}
        self._documents: Dict[str, Dict[str, JSONObject]] = {}
        self._passages: Dict[str, List[JSONObject]] = {}

    def create(self, call: Call, _: Any) -> Reply:
        given = call.body
        body = {
            "kb_id": self._store.new("kb"),
            "name": given.get("name", ""),
            "description": given.get("description"),
            "embedding_model": given.get("embedding_model") or MODEL_OF["embeddings"],
            "chunk_size": given.get("chunk_size", 1000),
            "chunk_overlap": given.get("chunk_overlap", 200),
            "created_at": self._store.now(),
            "updated_at": self._store.now(),
        }
        self._bases[body["kb_id"]] = body
        self._documents[body["kb_id"]] = {}
        return json_reply(201, self._base(body["kb_id"]))

    def _base(self, kb_id: str) -> JSONObject:
        if kb_id not in self._bases:
            raise RefusalError(404, f"There is no knowledge base {kb_id!r}.")
        return {**self._bases[kb_id], "document_count": len(self._documents[kb_id])}

    def get(self, call: Call, _: Any, kb_id: str) -> Reply:
        base = self._base(kb_id)
        return json_reply(200, {**base, "total_chunks": sum(1 for _ in self._all_passages([kb_id]))})

    def list(self, call: Call, _: Any) -> Reply:
        return json_reply(200, [self._base(kb_id) for kb_id in reversed(list(self._bases))])

    def delete(self, call: Call, _: Any, kb_id: str) -> Reply:
        self._base(kb_id)
        del self._bases[kb_id], self._documents[kb_id]
        return json_reply(200, {"message": "The knowledge base was deleted."})

    def add_document(self, call: Call, answer: Optional[Making], kb_id: str) -> Reply:
        base = self._base(kb_id)
        upload = call.upload
        file_id = str(self._files.take(upload)["file_id"] if upload else call.body.get("file_id"))
        file, _ = self._store.file(file_id)
        making = answer or Making(nothing)
        raw, doc_id = making.output(call), self._store.new("doc")
        text = raw.get("text") or text_of(self._store, file_id)
        passages = [] if making.failure else cut(text, base["chunk_size"])
        told = {"doc_id": doc_id, "kb_id": kb_id, "chunk_count": len(passages)}
        task = Task(self._store.new("task"), "document_processing", making, told, self._store.now())
        self._store.tasks[task.id] = task
        self._documents[kb_id][doc_id] = {
            **told,
            "filename": file["filename"],
            "file_type": extension(file["filename"]),
            "file_size": file["size"],
            "uploaded_at": self._store.now(),
            "_task": task,
            "_preview": text[:200],
        }
        self._passages[doc_id] = [
            self._passage(content, doc_id, kb_id, file["filename"], index)
            for index, content in enumerate(passages)
        ]
        return self._tasks.accepted(call, task, doc_id=doc_id)

    def _passage(self, content: str, doc_id: str, kb_id: str, filename: str, index: int) -> JSONObject:
        return {
            "chunk_id": self._store.new("chunk"),
            "doc_id": doc_id,
            "kb_id": kb_id,
            "content": content,
            "metadata": {"filename": filename, "chunk_index": index},
        }

    def list_documents(self, call: Call, _: Any, kb_id: str) -> Reply:
        self._base(kb_id)
        return json_reply(200, [self._document(each) for each in self._documents[kb_id].values()])

    def _document(self, record: JSONObject) -> JSONObject:
        task: Task = record["_task"]
        status = {"running": "processing", "pending": "queued"}.get(task.status, task.status)
        body = {name: told for name, told in record.items() if not name.startswith("_")}
        body["processing_status"] = status
        if status == "completed":
            body.update(processed_at=self._store.now(), content_preview=record["_preview"])
        if status == "failed":
            body.update(processed_at=self._store.now(), error=task.told("")["error"]["message"])
        return body

    def delete_document(self, call: Call, _: Any, kb_id: str, doc_id: str) -> Reply:
        self._base(kb_id)
        if self._documents[kb_id].pop(doc_id, None) is None:
            raise RefusalError(404, f"There is no document {doc_id!r}.")
        return json_reply(200, {"message": "The document was deleted."})

    def _all_passages(self, kb_ids: List[str]) -> List[JSONObject]:
        documents = [record for kb_id in kb_ids for record in self._documents[kb_id].values()]
        return [
            passage
            for record in documents
            if record["_task"].status == "completed"
            for passage in self._passages[record["doc_id"]]
        ]

    def search(self, call: Call, answer: Optional[List[JSONObject]]) -> Reply:
        body = call.body
        query, kb_ids = str(body["query"]), body["knowledge_base_ids"]
        found = self._given_passages(answer, kb_ids) if answer is not None else self._found(query, kb_ids)
        least, most = body.get("similarity_threshold", 0.7), body.get("top_k", 5)
        best = sorted(found, key=lambda row: -row["similarity_score"])
        rows = [row for row in best if row["similarity_score"] >= least][:most]
        return json_reply(200, {"query": query, "results": rows, "total_results": len(rows)})

    def _given_passages(self, given: List[JSONObject], kb_ids: List[str]) -> List[JSONObject]:
        rows = []
        for index, passage in enumerate(given):
            row = self._passage("", f"doc_of_{index + 1}", kb_ids[0], "handbook.md", index)
            told = {**row, "similarity_score": round(0.95 - 0.01 * index, 2), **passage}
            rows.append({**told, "metadata": {**row["metadata"], **passage.get("metadata", {})}})
        return rows

    def _found(self, query: str, kb_ids: List[str]) -> List[JSONObject]:
        """The passages that share words with the query: the more, the better."""
        for kb_id in kb_ids:
            self._base(kb_id)
        wanted = set(media.terms(query))
        rows = []
        for passage in self._all_passages(kb_ids):
            shared = len(wanted & set(media.terms(passage["content"])))
            if shared:
                rows.append({**passage, "similarity_score": round(0.7 + 0.3 * shared / len(wanted), 4)})
        return rows
