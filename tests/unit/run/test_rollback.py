"""The run of the rollback: which earlier run it undoes, and what it says when there is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import builders
import pytest

from drillbook import home
from drillbook.act.journal import Journal
from drillbook.decide.evidence import Evidence
from drillbook.errors import BadParameters, NotThisIncident, RunbookError
from drillbook.run.record import Record
from drillbook.run.rollback import RollbackRun, _runs

KEPT = {"app1": {"connect-app1:drillbook-kept-1": builders.OLD}}


def earlier(hour: int, kept: Any = KEPT, runbook: str = "reset", *, used: bool = True, plan: str = "") -> str:
    """The name of a run that began at *hour* and whose plan keeps *kept*."""
    folder = home.outputs() / "connect" / f"20251013T{hour:02}0000Z-{runbook}-abc123"
    folder.mkdir(parents=True)
    told = {"fingerprint": f"f{hour}", "basis": {"kept": kept} if kept is not None else {}}
    (folder / "plan.json").write_text(plan or json.dumps(told))
    if used:
        Journal(folder / "journal.jsonl").write("approval-used", fingerprint=f"f{hour}")
    return folder.name


@pytest.fixture
def run() -> RollbackRun:
    folder = home.outputs() / "connect" / "20251013T230000Z-rollback-abc123"
    folder.mkdir(parents=True)
    return RollbackRun(builders.target(), Record.create(folder, "rollback", "connect"), folder)


def test_newest_run_that_replaced_something_is_undone(run: RollbackRun) -> None:
    """A reset or a rollback; what only showed its plan, or kept nothing, has replaced nothing."""
    earlier(1)
    newest = earlier(2, runbook="rollback")
    earlier(3, used=False)
    earlier(4, {})
    earlier(5, None)
    earlier(6, runbook="backup")
    run.confirm(builders.healthy())
    assert (run.replaced["fingerprint"], run.of) == ("f2", newest)


def test_named_run_is_undone(run: RollbackRun) -> None:
    """The engineer's own word, by the run's name."""
    first = earlier(1)
    earlier(2)
    run.confirm(builders.healthy(), first)
    assert run.replaced["fingerprint"] == "f1"


@pytest.mark.parametrize("of", ["20251013T010000Z-reset-abc12", "nothing", "20251013T020000Z-reset-abc123"])
def test_run_that_has_replaced_nothing_is_a_wrong_parameter(run: RollbackRun, of: str) -> None:
    """Exit 2: a misspelt name with the nearest one, a run that did not act; the hint names those that can be undone."""
    first = earlier(1)
    earlier(2, used=False)
    with pytest.raises(BadParameters, match="has replaced nothing on connect") as caught:
        run.confirm(builders.healthy(), of)
    assert caught.value.hint.endswith(f"these have: {first}")
    assert caught.value.exit_code == 2


def test_nothing_to_undo_is_not_this_incident(run: RollbackRun) -> None:
    """On a target where no run has replaced anything."""
    earlier(1, used=False)
    with pytest.raises(NotThisIncident, match="no run has replaced anything on connect"):
        run.confirm(builders.healthy())


@pytest.mark.parametrize("plan", ["{", "[]", '{"basis": []}', "null"])
def test_plan_that_cannot_be_read_is_passed_over(run: RollbackRun, plan: str) -> None:
    """Half a file of a run that lost its power is nobody's plan; an older whole one is undone."""
    earlier(1)
    earlier(2, plan=plan)
    run.confirm(builders.healthy())
    assert run.replaced["fingerprint"] == "f1"


def test_plan_that_was_only_shown_does_not_hide_the_one_that_acted(run: RollbackRun) -> None:
    """Cells that were run again after the act show a plan whose images are the new ones."""
    name = earlier(1)
    folder: Path = home.outputs() / "connect" / name
    (folder / "acted.json").write_text((folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps({"fingerprint": "later", "basis": {"kept": KEPT}}))
    run.confirm(builders.healthy())
    assert run.replaced["fingerprint"] == "f1"


def test_target_without_a_stack_has_nothing_to_roll_back() -> None:
    """Its data is the restore's."""
    folder = home.outputs() / "embedded" / "20251013T230000Z-rollback-abc123"
    folder.mkdir(parents=True)
    run = RollbackRun(builders.database_target(), Record.create(folder, "rollback", "embedded"), folder)
    run.replaced = {}
    with pytest.raises(RunbookError, match="has no stack to roll back"):
        run.plan_of(builders.healthy())


@pytest.mark.parametrize(
    ("containers", "verdict", "observed"),
    [
        ((builders.container(image_id=builders.OLD),), "pass", "b" * 12),
        ((builders.container(),), "fail", "a" * 12),
        ((builders.container(), builders.container(image_id=builders.OLD)), "fail", f"{'a' * 12}, {'b' * 12}"),
        ((builders.container(image_id=builders.OLD, running=False),), "fail", "nothing"),
        ((builders.container("other", image_id=builders.OLD),), "fail", "nothing"),
        ((), "fail", "nothing"),
    ],
)
def test_service_is_rolled_back_when_all_that_runs_is_the_kept_image(
    containers: tuple[Any, ...], verdict: str, observed: str
) -> None:
    """One on another image, or none that runs, fails the verification."""
    found: Evidence = _runs(builders.healthy(containers=containers), "app1", builders.OLD)
    assert (found.verdict, found.observed, found.expected) == (verdict, observed, "b" * 12)
