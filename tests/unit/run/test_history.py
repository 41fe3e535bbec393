"""When all was well last, by the records of earlier runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import builders
import pytest

from drillbook.run.history import last_healthy
from drillbook.run.record import Record, new_run_folder


def ran(runbook: str, status: str, result: dict[str, Any]) -> Record:
    record = Record.create(new_run_folder("connect", runbook), runbook, "connect", parameters={}, mode="run")
    record.update(result=result)
    record.finish(status, 0)
    return record


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRILLBOOK_OUTPUTS", str(tmp_path))


def test_no_run_is_no_moment() -> None:
    """A target that was never looked at was never seen healthy."""
    assert last_healthy(builders.target()) == 0.0


def test_only_a_pass_counts() -> None:
    """A diagnosis that failed, a run that was cut and a backup say nothing of health; a pass does."""
    ran("diagnose", "succeeded", {"verdict": "fail"})
    ran("verify", "failed", {"verdict": "pass"})
    ran("backup", "succeeded", {"verdict": "pass"})
    assert last_healthy(builders.target()) == 0.0
    ran("diagnose", "succeeded", {"verdict": "pass"})
    assert last_healthy(builders.target()) > 1_700_000_000
