"""The `nexusai` command, as it is typed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from server.local_models import link_model

import nexusai


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nexusai", *arguments]
    return subprocess.run(
        command,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=300,
        env={**os.environ, "COLUMNS": "100", **environment},
    )


def test_alone_it_says_what_it_can_do() -> None:
    """And where to begin."""
    done = run()
    for word in ("demo", "serve", "models", "nexusai demo"):
        assert word in done.stdout


def test_version() -> None:
    """The package's."""
    assert run("--version").stdout == f"nexusai {nexusai.__version__}\n"


@pytest.mark.parametrize("arguments", [["fly"], ["serve", "--port", "x"], ["models", "rm"]])
def test_mistakes_get_a_sentence(arguments: list[str]) -> None:
    """Never a traceback."""
    done = run(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--help"], ["启动本地平台", "在本机运行的模型", "快速演示"]),
        (["serve", "--help"], ["启动本地平台", "监听地址", "本地模型使用的线程数"]),
        (["demo", "--help"], ["向文档提问"]),
        (["models", "--help"], ["列出可用模型", "下载模型", "从本机删除模型"]),
        (["models", "pull", "--help"], ["要下载的模型", "断点"]),
        (["models", "list"], ["用途", "把录音转写成文字", "存放于"]),
    ],
)
def test_in_chinese(words: list[str], told: list[str], tmp_path: Path) -> None:
    """The platform's own commands, too."""
    done = run(*words, NEXUS_LANG="zh", NEXUS_SERVER_MODELS_DIR=str(tmp_path), PYTHONIOENCODING="utf-8")
    assert done.returncode == 0, done.stderr
    shown = re.sub(r"[\s│]", "", done.stdout)
    assert not [text for text in told if text not in shown], done.stdout


def test_the_demo_without_a_network(tmp_path: Path) -> None:
    """The big model cannot be had, so the small one does the tour; everything it shows is real."""
    link_model(tmp_path / "models")
    done = run(
        "demo",
        NEXUS_SERVER_MODELS_DIR=str(tmp_path / "models"),
        NEXUS_SERVER_DATA_DIR=str(tmp_path / "data"),
        NEXUS_SERVER_THREADS="1",
        HF_ENDPOINT="http://127.0.0.1:9",
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS=str(tmp_path),
        PYTHONIOENCODING="ascii",
    )
    assert done.returncode == 0, done.stderr
    for word in ("smallest model", "At once", "用中文", "流式输出", "is queued", "How to go on", "接下来"):
        assert word in done.stdout, done.stdout
    assert re.search(r"\d+ tokens by smollm2-135m", done.stdout)
    assert "nxs_" not in done.stdout + done.stderr
