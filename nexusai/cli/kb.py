"""`nexusai kb`: knowledge bases."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional

import typer

from nexusai.cli import running, showing
from nexusai.cli.words import say
from nexusai.models import SearchResult

app: typer.Typer = running.group(
    "kb", "Knowledge bases: add documents, search them, ask them.", "知识库：添加文档、检索、提问。"
)
_ID = typer.Argument(..., metavar="KB_ID")
_TOP = typer.Option(5, "--top", "-k", min=1, help=say("At most so many passages.", "最多返回的段落数。"))
_THRESHOLD = typer.Option(
    0.4, "--threshold", min=0.0, max=1.0, help=say("The least similarity, 0 to 1.", "最低相似度，0 到 1。")
)
_COLUMNS: showing.Columns = {
    "kb_id": lambda base: base.kb_id,
    say("name", "名称"): lambda base: base.name,
    say("documents", "文档数"): lambda base: base.document_count,
    say("created", "创建时间"): lambda base: base.created_at,
}
_DOCUMENTS: showing.Columns = {
    "doc_id": lambda document: document.doc_id,
    say("name", "名称"): lambda document: document.filename,
    say("status", "状态"): lambda document: document.processing_status,
    say("passages", "段落数"): lambda document: document.chunk_count,
    say("error", "错误"): lambda document: document.error,
}


@running.command(app, "create", "创建知识库。")
def create(
    name: str = typer.Argument(...),
    description: Optional[str] = typer.Option(None),
    as_json: bool = showing.AS_JSON,
) -> None:
    """Make an empty knowledge base."""
    with running.connect() as client:
        base = client.knowledge_bases.create(name, description)
    if as_json:
        showing.as_json(base)
    else:
        showing.line(base.kb_id)


@running.command(app, "list", "列出知识库。")
def list_bases(as_json: bool = showing.AS_JSON) -> None:
    """List the knowledge bases."""
    with running.connect() as client:
        found = client.knowledge_bases.list()
    if as_json:
        showing.as_json(list(found))
    else:
        nothing = say("There is none: nexusai kb create NAME", "还没有知识库：nexusai kb create 名称")
        showing.table(found, _COLUMNS, nothing)


@running.command(app, "add", "添加文档，并等待处理完成。")
def add(kb_id: str = _ID, paths: List[Path] = typer.Argument(..., exists=True, dir_okay=False)) -> None:
    """Add documents, and wait until they can be searched."""
    with running.connect() as client:
        for path in paths:
            with showing.task_bar(path.name) as show:
                client.knowledge_bases.upload_document(kb_id, path, wait=True, on_progress=show)
            showing.err.print(say(f"Added: {path.name}", f"已添加：{path.name}"))


@running.command(app, "documents", "列出文档。")
def documents(kb_id: str = _ID, as_json: bool = showing.AS_JSON) -> None:
    """List the documents of a knowledge base, and how the processing of each stands."""
    with running.connect() as client:
        found = client.knowledge_bases.list_documents(kb_id)
    if as_json:
        showing.as_json(list(found))
    else:
        nothing = say(
            f"There is none: nexusai kb add {kb_id} FILE", f"还没有文档：nexusai kb add {kb_id} 文件"
        )
        showing.table(found, _DOCUMENTS, nothing)


@running.command(app, "search", "检索最相关的段落。")
def search(
    kb_id: str = _ID,
    query: List[str] = typer.Argument(...),
    top: int = _TOP,
    threshold: float = _THRESHOLD,
    as_json: bool = showing.AS_JSON,
) -> None:
    """Find the passages that answer a query best."""
    with running.connect() as client:
        found = client.knowledge_bases.search(" ".join(query), kb_id, top, threshold)
    if as_json:
        showing.as_json(found)
        return
    if not found.results:
        showing.err.print(say("Nothing is similar enough.", "没有足够相似的内容。"))
    for number, passage in enumerate(found.results, 1):
        _print_source(number, passage)
        showing.out.print(passage.content)
        showing.out.print()


@running.command(app, "ask", "根据文档回答问题，并注明出处。")
def ask(
    kb_id: str = _ID,
    question: List[str] = typer.Argument(...),
    top: int = _TOP,
    threshold: float = _THRESHOLD,
    model: Optional[str] = typer.Option(None, "--model", "-m"),
    as_json: bool = showing.AS_JSON,
) -> None:
    """Answer a question from the documents, and name the sources."""
    asked = " ".join(question)
    with running.connect() as client:
        bases = client.knowledge_bases
        if as_json:
            showing.as_json(bases.ask(asked, kb_id, top_k=top, similarity_threshold=threshold, model=model))
            return
        answer = bases.ask_stream(asked, kb_id, top_k=top, similarity_threshold=threshold, model=model)
        try:
            showing.stream(iter(answer))
        finally:
            answer.close()
        for number, passage in enumerate(answer.sources, 1):
            _print_source(number, passage)


@running.command(app, "delete", "删除知识库及其文档。")
def delete(kb_id: str = _ID) -> None:
    """Delete a knowledge base with its documents; the files stay."""
    with running.connect() as client:
        client.knowledge_bases.delete(kb_id)
    showing.err.print(say(f"Deleted: {kb_id}", f"已删除：{kb_id}"))


def _print_source(number: int, passage: SearchResult) -> None:
    name = (passage.metadata or {}).get("filename") or passage.doc_id
    showing.out.print(f"[{number}] {name}  {passage.similarity_score:.2f}", style="dim")
