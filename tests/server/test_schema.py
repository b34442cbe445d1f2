"""Schemathesis asks for whatever the API documents allow, and for what they do not.

`NEXUS_FUZZ_EXAMPLES=500 pytest tests/server/test_schema.py` (`make fuzz`) looks further.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from server.local_models import link_speech
from server.process import ServerProcess
from server.upstream import FakeUpstream

EXAMPLES = os.environ.get("NEXUS_FUZZ_EXAMPLES", "10")
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.fixture(scope="module")
def fuzzed(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with real models, but for texts: those come from a provider that is quick."""
    directory = tmp_path_factory.mktemp("fuzzed")
    link_speech(directory / "models")
    models = {"local": True, "models_dir": str(directory / "models")}
    with ServerProcess(directory / "data", upstream.base_url, **models) as running:
        yield running


@pytest.mark.parametrize("root", ["", "/v1"])
def test_the_api_document_is_kept(fuzzed: ServerProcess, root: str, tmp_path: Path) -> None:
    """No 5xx, and no answer that the document does not tell of."""
    base = fuzzed.url.replace("/api/v1", root)
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{base}/openapi.json"]
    command += ["--url", base, "--header", f"Authorization: Bearer {fuzzed.key}", "--checks", CHECKS]
    command += ["--max-examples", EXAMPLES, "--seed", "1", "--request-timeout", "120", "--no-color"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in fuzzed.stderr()
