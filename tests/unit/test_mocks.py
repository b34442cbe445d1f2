"""Users mock httpx, and their mocks must see every request. Its tool needs Python 3.9."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from faults.server import completed

import nexusai

if TYPE_CHECKING:
    from pytest_httpx import HTTPXMock

pytest.importorskip("pytest_httpx")


def test_the_plan_s_own_example(httpx_mock: HTTPXMock) -> None:
    """Section 3.2 of the plan, as written, for text in place of images."""
    client = nexusai.NexusAIClient(api_key="test_api_key", base_url="http://localhost:8000/api/v1")
    httpx_mock.add_response(
        url="http://localhost:8000/api/v1/invoke",
        method="POST",
        json={"task_id": "task_123", "status": "queued"},
        status_code=202,
    )
    httpx_mock.add_response(
        url="http://localhost:8000/api/v1/tasks/task_123",
        method="GET",
        json={"task_id": "task_123", "status": "completed", "output": {"text": "A beautiful sunset"}},
    )
    answer = client.text.generate("Describe a beautiful sunset")
    assert answer.text == "A beautiful sunset"


def test_a_mock_sees_a_stream(httpx_mock: HTTPXMock) -> None:
    """Users' mocks work on streams too."""
    httpx_mock.add_response(content=b'data: {"delta": {"content": "hi"}}\n\ndata: [DONE]\n\n')
    client = nexusai.NexusAIClient("k")
    assert list(client.text.stream("hi").text_deltas) == ["hi"]


def test_module_functions_use_the_default_client(httpx_mock: HTTPXMock) -> None:
    """`nexusai.text.generate(…)`, on settings given before."""
    httpx_mock.add_response(url="http://elsewhere:1/api/v1/invoke", json=completed("module"))
    nexusai.config.api_key = "k"
    nexusai.config.base_url = "http://elsewhere:1/api/v1"
    assert nexusai.text.generate("hi").text == "module"
    httpx_mock.add_response(url="http://elsewhere:1/api/v1/invoke", json=completed("awaited"))
    assert asyncio.run(nexusai.aio.text.generate("hi")).text == "awaited"
