"""What a reset says of itself in the end: pass, fail, or unknown where what it promised cannot be seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import pytest

from drillbook import home
from drillbook.decide.plan import Plan
from drillbook.errors import CheckFailed
from drillbook.observe.facts import Snapshot
from drillbook.observe.probe import Probe
from drillbook.run import reset
from drillbook.run.record import Record

PLAN = Plan("reset", "connect", builders.target().identity, {"scope": "images"}, ())
BUILT = builders.healthy(images=(builders.image(built_from=dict(builders.SOURCES)),))


def verified(monkeypatch: pytest.MonkeyPatch, after: Snapshot) -> dict[str, Any]:
    """The result of a reset of images that was carried out, and after which *after* is seen."""
    folder = home.outputs() / "connect" / "20251013T030000Z-reset-abc123"
    folder.mkdir(parents=True)
    run = reset.ResetRun(builders.target(), Record.create(folder, "reset", "connect"), folder)
    run.scope, run.failed_before, run.done, run.acted, run.probe = "images", set(), [], PLAN, Probe([])
    monkeypatch.setattr(reset, "observe", lambda target: after)
    run.verify()
    assert run.record.result is not None
    return run.record.result


def test_all_is_as_the_source_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every promised check was made, and passed."""
    assert verified(monkeypatch, BUILT)["verdict"] == "pass"


def test_what_cannot_be_seen_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The image's files could not be read afterwards: nobody says that they are the source's."""
    assert verified(monkeypatch, replace(BUILT, images=()))["verdict"] == "unknown"


def test_what_is_still_stale_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The incident is still there."""
    with pytest.raises(CheckFailed, match="not all is well: stale-artifact"):
        verified(monkeypatch, builders.stale_artifact())
