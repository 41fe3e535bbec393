"""A run's gate: an approval is given for one plan, carried on with that very plan, and for nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import builders
import pytest
from runs import beginning

from drillbook.act.journal import Journal
from drillbook.decide.plan import Plan, Step
from drillbook.errors import NotApproved, OutOfOrder, Refused, RunbookError
from drillbook.run.session import Run

TARGET = builders.database_target()
PLAN = Plan("reset", "embedded", TARGET.identity, {"backup": "b1"}, (Step("one", "v", "s"), Step("two", "v", "s")))
OTHER = replace(PLAN, basis={"backup": "b2"})


class Plain(Run):
    """A run that makes a new plan when it is resumed."""

    runbook = "reset"


class GoesOn(Run):
    """A run that goes on with the plan that was cut."""

    runbook = "reset"
    goes_on = True


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Run]]:
    """Begins a run of a class at an hour, that resumes another; each is closed at the end."""
    with beginning(monkeypatch, TARGET, GoesOn) as begin:
        yield begin


def lines(run: Run, event: str) -> list[dict[str, Any]]:
    return [line for line in Journal(run.folder / "journal.jsonl").lines() if line["event"] == event]


def cut_run(begin: Callable[..., Run], status: str = "aborted") -> Run:
    """A run that was approved, acted, did the first step and was cut in the second."""
    run = begin(1)
    run.show_plan(PLAN)
    run.approve(PLAN, PLAN.fingerprint)
    run.journal.write("approval-used", fingerprint=PLAN.fingerprint)
    for event, step in (("intent", "one"), ("done", "one"), ("intent", "two")):
        run.journal.write(event, step=step)
    run.record.finish(status, 1)
    return run


def test_given_fingerprint_approves_and_is_journalled(begin: Callable[..., Run]) -> None:
    """Unattended the parameter is held against the plan, and the journal says what was approved."""
    run = begin(1)
    run.approve(PLAN, f" {PLAN.fingerprint.upper()} ")
    assert run.approval.covers(PLAN)
    assert [line["fingerprint"] for line in lines(run, "approved")] == [PLAN.fingerprint]


@pytest.mark.parametrize("approval", ["", "yes", PLAN.fingerprint[:6], OTHER.fingerprint])
def test_wrong_or_absent_approval_is_refused(begin: Callable[..., Run], approval: str) -> None:
    """Exit 3, with the plan as evidence and the command that approves it; nothing is journalled as approved."""
    run = begin(1)
    with pytest.raises(NotApproved) as caught:
        run.approve(PLAN, approval)
    given = f"approval {approval} is not for this plan" if approval else "the plan has not been approved"
    assert caught.value.fact == f"{given}; it is {PLAN.fingerprint}"
    assert caught.value.hint.endswith(f"drillbook run reset --target embedded --approve {PLAN.fingerprint}")
    assert (caught.value.exit_code, caught.value.evidence) == (3, PLAN.as_json())
    assert lines(run, "approved") == []


def test_resumed_run_carries_the_approval_on(begin: Callable[..., Run], capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody approves the same plan twice; the journal says that it was carried on and from where."""
    earlier = cut_run(begin)
    run = begin(2, earlier.folder.name)
    assert run.cut is not None
    assert run.cut.plan == PLAN
    run.approve(run.cut.plan)
    assert run.approval.covers(PLAN)
    assert [(line["fingerprint"], line["run"]) for line in lines(run, "approval-carried")] == [
        (PLAN.fingerprint, earlier.folder.name)
    ]
    assert (lines(run, "approved"), run.context.resumes) == ([], earlier.folder.name)
    assert f"in {earlier.folder.name}, for this same plan, which is not finished" in capsys.readouterr().out


def test_resumed_run_carries_nothing_on_to_another_plan(begin: Callable[..., Run]) -> None:
    """What was approved then covers that plan alone: another one asks anew, and nothing says that it was carried."""
    run = begin(2, cut_run(begin).folder.name)
    with pytest.raises(NotApproved, match="the plan has not been approved"):
        run.approve(OTHER)
    assert not run.approval.covers(OTHER)
    assert lines(run, "approval-carried") == []


@pytest.mark.parametrize("approval", [OTHER.fingerprint, "yes"])
def test_wrong_approval_of_a_resumed_run_is_refused(begin: Callable[..., Run], approval: str) -> None:
    """Who gives one means it: a wrong one is not passed over in favour of the one that was given then."""
    run = begin(2, cut_run(begin).folder.name)
    with pytest.raises(NotApproved):
        run.approve(PLAN, approval)
    assert not run.approval.covers(PLAN)


def test_approval_given_anew_to_a_resumed_run_counts(begin: Callable[..., Run]) -> None:
    """The same fingerprint once more is an approval like any other."""
    run = begin(2, cut_run(begin).folder.name)
    run.approve(PLAN, PLAN.fingerprint)
    assert run.approval.covers(PLAN)
    assert (len(lines(run, "approved")), lines(run, "approval-carried")) == (1, [])


def test_approval_is_not_replayed_after_success(begin: Callable[..., Run]) -> None:
    """A run that came to its end is not resumed: no plan, no approval, no lock is left behind."""
    earlier = cut_run(begin, "succeeded")
    with pytest.raises(Refused, match="came to its end"):
        begin(2, earlier.folder.name)


def test_resume_tells_how_far_the_cut_run_came(begin: Callable[..., Run], capsys: pytest.CaptureFixture[str]) -> None:
    """In the journal, and as a table for the person."""
    run = begin(2, cut_run(begin).folder.name)
    [told] = lines(run, "resumes")
    assert (told["run"], told["done"], told["cut"]) == ("20251013T010000Z-reset-abc123", ["one"], "two")
    said = capsys.readouterr().out
    assert "cut here" in said
    assert "what it did is observed again, not trusted" in said


@pytest.mark.parametrize("kind", [GoesOn, Plain])
def test_run_cut_before_its_approval_makes_a_new_plan(begin: Callable[..., Run], kind: type[Run]) -> None:
    """Nothing was approved, so nothing is carried on: the new plan needs an approval of its own."""
    begin(1)
    run = begin(2, "20251013T010000Z-reset-abc123", kind)
    assert (run.cut, run.context.resumes) == (None, "")
    with pytest.raises(NotApproved):
        run.approve(PLAN)


def test_runbook_that_plans_anew_trusts_nothing_and_tells_all_the_same(
    begin: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    """A backup or a restore starts from what is there; the journal says truly how far the cut one came."""
    run = begin(2, cut_run(begin).folder.name, Plain)
    assert run.cut is None
    assert (lines(run, "resumes")[0]["done"], lines(run, "resumes")[0]["cut"]) == (["one"], "two")
    assert "a new plan is made" in capsys.readouterr().out
    with pytest.raises(NotApproved):
        run.approve(PLAN)


def test_person_is_asked_and_a_resumed_person_is_not(
    begin: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In JupyterLab the gate is a field; a plan that was approved before the cut is not asked for again."""
    shown: list[Any] = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    run = begin(2, cut_run(begin).folder.name)
    run.attended = True
    run.approve(PLAN)
    assert run.approval.covers(PLAN)
    fresh = begin(3)
    fresh.attended = True
    fresh.approve(PLAN)
    assert (len(shown), fresh.approval.covers(PLAN), len(lines(fresh, "asked"))) == (1, False, 1)


def test_shown_plan_is_kept_whole_for_its_owner(begin: Callable[..., Run]) -> None:
    """What is approved can be read again, by the resume and by the rollback, mode 0600."""
    run = begin(1)
    run.show_plan(PLAN)
    file: Path = run.folder / "plan.json"
    assert Plan.from_json(json.loads(file.read_text())) == PLAN
    assert file.stat().st_mode & 0o777 == 0o600
    assert [line["fingerprint"] for line in lines(run, "section")] == [PLAN.fingerprint]
    assert run.record.result == {"plan": PLAN.as_json(), "verdict": "unknown", "steps": []}


def test_what_is_not_known_yet_is_out_of_order(begin: Callable[..., Run]) -> None:
    """A cell that is run before the one it rests on is refused with a hint, not with a traceback of Python."""
    with pytest.raises(OutOfOrder, match="knows no facts yet"):
        _ = begin(1).facts


def test_run_that_writes_does_nothing_without_its_lock(begin: Callable[..., Run]) -> None:
    """A lock that was given back is not acted under."""

    class Writes(Plain):
        writes = True

    run = begin(1, "", Writes)
    run.release()
    with pytest.raises(RunbookError, match="does not hold the target's lock any more"):
        run.carry_out(PLAN)
    assert lines(run, "intent") == []
