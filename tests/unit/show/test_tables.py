"""Facts, evidence and outcomes, as a person sees them."""

from __future__ import annotations

from typing import Any

import builders
import pytest

from drillbook.decide.diagnose import diagnose
from drillbook.observe.facts import Snapshot
from drillbook.show import tables


def test_snapshot_shows_what_runs_answers_and_holds() -> None:
    """One look tells the containers, what the endpoints answer, and how many rows there are."""
    text = tables.snapshot(builders.stale_artifact()).text
    for part in ("connect-app1-1", "500", "TypeError", "16.4", "22"):
        assert part in text


def test_nothing_observed_is_said() -> None:
    """When nothing could be observed, that is said."""
    assert tables.snapshot(Snapshot("connect", "0")).text == "nothing could be observed"


def test_failures_come_first() -> None:
    """In the evidence failures come before what is unknown, and both before what passed, for a tired reader."""
    found = diagnose(builders.stale_artifact(unknown={"vault": "cannot be listed"}))
    text = tables.evidence("Evidence", found.evidence).text
    assert text.index("fail") < text.index("unknown")
    passed = next(e for e in found.evidence if e.verdict == "pass")
    failed = next(e for e in found.evidence if e.verdict == "fail")
    assert failed.observed[:20] in text
    html = tables.evidence("Evidence", found.evidence).html
    assert html.index("cannot be listed") < html.index(passed.expected)


def test_outcomes_tell_seconds_and_evidence() -> None:
    """After acting each step is shown with its seconds and what it saw."""
    done = [{"step": "stage", "subject": "files", "seconds": 1.26, "evidence": {"files": 2}}]
    text = tables.outcomes("Done", done).text
    assert "1.3" in text
    assert "files=2" in text


@pytest.mark.parametrize(
    ("evidence", "said"),
    [({"verdict": "pass"}, "pass"), ({"verdict": "unknown"}, "unknown"), ({"verdict": "fail"}, "fail"),
     ({"left_out": "no such extension"}, "left out"), ({"rows": 3}, "done")],
)  # fmt: skip
def test_a_step_is_called_passed_only_where_it_judged_and_passed(evidence: dict[str, Any], said: str) -> None:
    """A check that was left out, or could not be made, is no green line; and what judges nothing is only done."""
    shown = tables.outcomes("Done", [{"step": "a", "subject": "b", "seconds": 1.0, "evidence": evidence}])
    assert shown.text.splitlines()[2].startswith(f"{said} ")
    assert ("✓" in shown.html) == (evidence.get("verdict") == "pass")
