"""What the shell prints for a person: nothing that only a program could read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drillbook.run import listing
from drillbook.run.record import Record

CHECK = {"id": "rows:a", "verdict": "pass", "observed": "1", "expected": "1"}
CAUSES = [{"id": "stale-artifact", "confidence": 0.98}, {"id": "stale-layer", "confidence": 0.5}]


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"next": {"runbook": "reset", "command": "drillbook run reset --target x", "why": "stale"}}, "run reset"),
        ({"next": {"runbook": "", "command": "", "why": "nothing is wrong"}}, "nothing is wrong"),
        ({"causes": CAUSES}, "stale-artifact, stale-layer"),
        ({"causes": []}, "none"),
        ({"plan": {"fingerprint": "0123456789abcdef", "steps": [{}]}}, "0123456789abcdef"),
        ({"checks": [CHECK, CHECK, {**CHECK, "verdict": "fail"}]}, "3 (2 pass, 1 fail)"),
        ({"evidence": []}, "0"),
        ({"steps": [{"step": "a", "evidence": {}}]}, "1"),
        ({"failures": ["matches: 500 x"] * 20}, "20"),
        ({"empty": ["main", "reports"]}, "main, reports"),
        ({"files": [{"service": "a", "path": "x.js"}, {"service": "b", "path": "x.js"}]}, "x.js"),
        ({"files": []}, "none differs"),
        ({"incidents": [{"incident": {"id": "session-51"}, "causes": []}]}, "session-51"),
        ({"signs": {"says": "not all three signs are there", "signs": [{"name": "x"}]}}, "not all three"),
        ({"signs": None}, "nothing to tell"),
        ({"caches": [{"id": "a", "present": "yes"}, {"id": "b", "present": "no"}]}, "1 of 2 are there"),
        ({"rows": [{"table": "a", "now": 1}] * 24}, "24"),
        ({"later": {"a": {"b": 1}}}, "1 entries"),
        ({"verdict": "pass"}, "pass"),
        ({"downtime_seconds": 1.5}, "1.5"),
    ],
)
def test_each_result_is_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], result: dict[str, Any], said: str
) -> None:
    """The next command as it is typed, causes by id, long lists by their number and verdicts."""
    record = Record(tmp_path, "r", "diagnose", "x", status="succeeded", exit_code=0, seconds=1.0, result=result)
    listing.ending(record)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.split()[0] == next(iter(result))]
    assert said in line.split(maxsplit=1)[1]
    assert "{" not in line
