"""Runs accepted tasks to their end, whatever happens to the process."""

from nexus_server.engine.port import RunTask, TaskEngine, WorkState

__all__ = ["RunTask", "TaskEngine", "WorkState"]
