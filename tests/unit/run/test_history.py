"""When all was well last, and what was said since, by the records of earlier runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import builders
import pytest

from drillbook.run.history import failures_before, last_healthy
from drillbook.run.record import FILE, Record, new_run_folder


def ran(runbook: str, status: str, result: dict[str, Any], ended: str = "") -> Record:
    record = Record.create(new_run_folder("connect", runbook), runbook, "connect", parameters={}, mode="run")
    record.update(result=result)
    record.finish(status, 0)
    if ended:
        record.update(ended=ended)
    return record


def bad(said: str, line: str = "", verdict: str = "fail") -> dict[str, Any]:
    evidence = [{"id": "answer:matches", "verdict": verdict, "observed": said}]
    lines = [["app1", line, 3]] if line else []
    return {"verdict": "fail", "evidence": evidence, "signs": {"lines": lines}}


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DRILLBOOK_OUTPUTS", str(tmp_path))
    return tmp_path


def test_no_run_is_no_moment() -> None:
    """A target that was never looked at was never seen healthy."""
    assert last_healthy(builders.target()) == 0.0
    assert failures_before(builders.target(), time.time()) == ()


def test_only_a_pass_counts() -> None:
    """A diagnosis that failed, a run that was cut and a backup say nothing of health; a pass does."""
    ran("diagnose", "succeeded", {"verdict": "fail"})
    ran("verify", "failed", {"verdict": "pass"})
    ran("backup", "succeeded", {"verdict": "pass"})
    assert last_healthy(builders.target()) == 0.0
    ran("diagnose", "succeeded", {"verdict": "pass"})
    assert last_healthy(builders.target()) > 1_700_000_000


@pytest.mark.parametrize("runbook", ["diagnose", "verify", "reset", "restore"])
def test_the_newest_pass_is_the_moment(runbook: str) -> None:
    """Each runbook that looks in the end counts, and the latest end is told."""
    ran(runbook, "succeeded", {"verdict": "pass"}, "2025-10-13T02:00:00+00:00")
    ran("diagnose", "succeeded", {"verdict": "pass"}, "2025-10-13T01:00:00+00:00")
    assert last_healthy(builders.target()) == 1_760_320_800.0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"runbook": "diagnose", "status": "succeeded", "started": "once"}'])
def test_a_broken_record_says_nothing(outputs: Path, text: str) -> None:
    """A record that a crash or a hand has spoilt does not end a diagnosis."""
    ran("diagnose", "succeeded", {"verdict": "pass"}, "2025-10-13T02:00:00+00:00")
    (new_run_folder("connect", "diagnose") / FILE).write_text(text)
    assert last_healthy(builders.target()) == 1_760_320_800.0


def test_what_was_said_since_the_last_healthy_look() -> None:
    """Failing answers and log lines of diagnoses before a moment; nothing from before the last pass."""
    ran("diagnose", "succeeded", bad("500: of old"), "2025-10-13T01:00:00+00:00")
    ran("diagnose", "succeeded", {"verdict": "pass"}, "2025-10-13T02:00:00+00:00")
    ran("diagnose", "succeeded", bad("500: boom", "Error: x"), "2025-10-13T03:00:00+00:00")
    ran("diagnose", "succeeded", bad("500: boom"), "2025-10-13T03:10:00+00:00")
    ran("diagnose", "succeeded", bad("200: fine", verdict="pass"), "2025-10-13T03:20:00+00:00")
    ran("diagnose", "succeeded", bad("500: later"), "2025-10-13T05:00:00+00:00")
    four = 1_760_328_000.0
    assert set(failures_before(builders.target(), four)) == {"500: boom", "Error: x"}
