"""The tables. Moments are milliseconds since the epoch, UTC; ids are opaque text.

A change here needs a migration of the same shape: a test compares the two.
"""

from __future__ import annotations

import sqlalchemy as sa

TASK_STATUSES = ("queued", "running", "completed", "failed", "cancelled")
OPEN_STATUSES = ("queued", "running")

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),  # SHA-256 of the whole key; the key is nowhere
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("disabled_at", sa.BigInteger),
)

tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("api_key_id", sa.Text, sa.ForeignKey("api_keys.id"), nullable=False),
    sa.Column("task_type", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("streamed", sa.Boolean, nullable=False),  # runs in its request, not in the queue
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("input", sa.JSON, nullable=False),
    sa.Column("config", sa.JSON, nullable=False),
    sa.Column("webhook_url", sa.Text),
    sa.Column("progress", sa.Integer),  # percent
    sa.Column("output", sa.JSON(none_as_null=True)),
    sa.Column("error", sa.JSON(none_as_null=True)),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("started_at", sa.BigInteger),
    sa.Column("finished_at", sa.BigInteger),
    sa.CheckConstraint(f"status IN {TASK_STATUSES}", name="status"),
    sa.Index(None, "api_key_id", "created_at", "id"),
    sa.Index(None, "status"),
)

# Every status that a task ever had, in order: what really happened, for tests and for people.
task_history = sa.Table(
    "task_history",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("task_id", sa.Text, sa.ForeignKey("tasks.id"), nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("detail", sa.Text),
    sa.Index(None, "task_id"),
)

# A key stands for the task that answers its request, or for the answer itself: `{status, body}`.
idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("api_key_id", sa.Text, sa.ForeignKey("api_keys.id"), primary_key=True),
    sa.Column("route", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("task_id", sa.Text, sa.ForeignKey("tasks.id")),
    sa.Column("answer", sa.JSON(none_as_null=True)),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Index(None, "created_at"),
)

# Uploads, and what tasks have made (`task_id`). The bytes are in a file of the id's name.
files = sa.Table(
    "files",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("api_key_id", sa.Text, sa.ForeignKey("api_keys.id"), nullable=False),
    sa.Column("task_id", sa.Text, sa.ForeignKey("tasks.id")),
    sa.Column("filename", sa.Text, nullable=False),
    sa.Column("content_type", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Index(None, "api_key_id", "created_at", "id"),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("api_key_id", sa.Text, sa.ForeignKey("api_keys.id"), nullable=False),
    sa.Column("agent_type", sa.Text, nullable=False),
    sa.Column("agent_config", sa.JSON, nullable=False),
    sa.Column("name", sa.Text),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Index(None, "api_key_id", "created_at", "id"),
)

session_messages = sa.Table(
    "session_messages",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("session_id", sa.Text, sa.ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Index(None, "session_id", "id"),
)

# Their passages and vectors are in an index of their own, under the knowledge base's id.
knowledge_bases = sa.Table(
    "knowledge_bases",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("api_key_id", sa.Text, sa.ForeignKey("api_keys.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("embedding_provider", sa.Text, nullable=False),
    sa.Column("embedding_model", sa.Text, nullable=False),
    sa.Column("chunk_size", sa.Integer, nullable=False),
    sa.Column("chunk_overlap", sa.Integer, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Index(None, "api_key_id", "created_at", "id"),
)

documents = sa.Table(
    "documents",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kb_id", sa.Text, sa.ForeignKey("knowledge_bases.id", ondelete="CASCADE"), nullable=False),
    sa.Column("file_id", sa.Text, nullable=False),  # the file may be gone when the document still is here
    sa.Column("task_id", sa.Text, sa.ForeignKey("tasks.id"), nullable=False),
    sa.Column("filename", sa.Text, nullable=False),
    sa.Column("file_type", sa.Text, nullable=False),
    sa.Column("file_size", sa.BigInteger, nullable=False),
    sa.Column("chunk_count", sa.Integer, nullable=False),
    sa.Column("content_preview", sa.Text),
    sa.Column("uploaded_at", sa.BigInteger, nullable=False),
    sa.Column("processed_at", sa.BigInteger),
    sa.Index(None, "kb_id", "uploaded_at", "id"),
)

# What is still to be told, and what was: one row for each ended task that has a webhook.
webhook_deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("task_id", sa.Text, sa.ForeignKey("tasks.id"), nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("receiver", sa.Text, nullable=False),  # the URL's host and port: so many at once, and no more
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_attempt_at", sa.BigInteger),  # none is left when it was delivered or given up
    sa.Column("delivered_at", sa.BigInteger),
    sa.Column("last_error", sa.Text),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Index(None, "next_attempt_at"),
)
