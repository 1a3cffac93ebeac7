"""The child process: what is told to it, what it may answer, how it ends. No model is loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ultrai.domain.errors import LocalModelError
from ultrai.local.worker import WORKER_SCRIPT, Job, Worker

JOB = Job(path="w.gguf", alias="local/tiny", context_tokens=64, threads=1, api_key="canary-key")
ECHO = """
import json, sys
job = json.loads(sys.stdin.readline())
print(json.dumps({"address": json.dumps([job, sys.argv])}), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return tmp_path / "child.py"


def test_the_child_is_told_its_job_on_standard_input_only(script: Path) -> None:
    script.write_text(ECHO)
    worker = Worker(JOB, script=script)
    try:
        job, arguments = json.loads(worker.load())
        assert worker.alive
    finally:
        worker.kill()
    assert job["api_key"] == "canary-key"
    assert "canary-key" not in str(arguments)
    assert not worker.alive


def test_the_key_is_in_no_repr() -> None:
    assert "canary-key" not in repr(JOB)


def test_a_child_that_complains_is_quoted(script: Path) -> None:
    script.write_text('print(\'{"error": "no such tensor"}\', flush=True)')
    with pytest.raises(LocalModelError, match="no such tensor"):
        Worker(JOB, script=script).load()


def test_a_child_that_crashes_is_named_by_its_signal(script: Path) -> None:
    script.write_text("import os, signal; os.kill(os.getpid(), signal.SIGABRT)")
    with pytest.raises(LocalModelError, match="SIGABRT") as raised:
        Worker(JOB, script=script).load()
    assert "ultrai local pull local/tiny" in raised.value.hint


def test_a_child_that_talks_nonsense_is_ended(script: Path) -> None:
    script.write_text("print('llama_model_loader: oh', flush=True)")
    worker = Worker(JOB, script=script)
    with pytest.raises(LocalModelError, match="code 0"):
        worker.load()
    assert not worker.alive


def test_a_worker_killed_before_it_starts_never_starts(script: Path) -> None:
    script.write_text(ECHO)
    worker = Worker(JOB, script=script)
    worker.kill()
    with pytest.raises(LocalModelError, match="closed"):
        worker.load()
    assert worker.process_id is None


def test_killing_twice_is_harmless(script: Path) -> None:
    script.write_text(ECHO)
    worker = Worker(JOB, script=script)
    worker.load()
    worker.kill()
    worker.kill()


def test_the_real_child_reports_what_it_cannot_load() -> None:
    with pytest.raises(LocalModelError, match="could not be loaded"):
        Worker(JOB, script=WORKER_SCRIPT).load()
