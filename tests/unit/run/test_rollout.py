"""Runs that replace containers: they act on the plan as it is now, approved, or on the one that was cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import builders
import pytest
from runs import beginning

from drillbook.act.executor import Context, verb
from drillbook.act.journal import Journal
from drillbook.decide.plan import Plan, Step
from drillbook.errors import NotApproved, StepFailed
from drillbook.observe.facts import Snapshot
from drillbook.run.resume import ACTED, kept_plan
from drillbook.run.rollout import Rollout

TARGET = builders.database_target()
STEP, BACK = Step("move", "rollout.test", "app1"), Step("back-app1", "rollout.test", "app1")
PLAN = Plan("reset", "embedded", TARGET.identity, {"backup": "b1"}, (STEP,), back=(BACK,), turns=("move",))
OTHER = replace(PLAN, basis={"backup": "b2"})
taken: list[str] = []


@verb("rollout.test")
def move(step: Step, context: Context) -> Mapping[str, Any]:
    taken.append(step.id)
    if context.state.get("fails") == step.id:
        raise StepFailed("it does not move", "push it")
    return {"resumes": context.resumes}


class Acting(Rollout):
    """A run whose plan, as it would be made now, is `now`."""

    runbook = "reset"
    now = PLAN

    def plan_of(self, facts: Snapshot) -> Plan:
        assert facts.target == "embedded"
        return self.now


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Acting]]:
    """Begins a run at an hour, that resumes another; each gives its lock back before the next begins."""
    taken.clear()
    with beginning(monkeypatch, TARGET, Acting) as begin:
        yield begin


def events(run: Acting) -> list[str]:
    seen = ("approved", "approval-carried", "approval-used", "intent", "done", "failed", "way-back", "back")
    return [line["event"] for line in Journal(run.folder / "journal.jsonl").lines() if line["event"] in seen]


def test_approved_plan_that_still_holds_is_carried_out(begin: Callable[..., Acting]) -> None:
    """The approval is journalled as used before the first intent; afterwards the run knows what was done."""
    run = begin(1)
    run.approve(run.show_plan(PLAN), PLAN.fingerprint)
    run.act(PLAN)
    assert events(run) == ["approved", "approval-used", "intent", "done"]
    assert (taken, run.acted, [done["step"] for done in run.done]) == (["move"], PLAN, ["move"])
    assert run.meanwhile()["requests"] == 0


def test_plan_that_is_acted_on_is_kept_apart(begin: Callable[..., Acting]) -> None:
    """What is shown afterwards does not take its place: a resume and a rollback need the one that was acted on."""
    run = begin(1)
    run.approve(run.show_plan(PLAN), PLAN.fingerprint)
    run.act(PLAN)
    run.show_plan(OTHER)
    assert kept_plan(run.folder)["fingerprint"] == PLAN.fingerprint


def test_facts_that_changed_since_kill_the_approval(begin: Callable[..., Acting]) -> None:
    """The plan is made anew just before acting: where it is another one now, that is shown, and nothing is done."""
    run = begin(1)
    run.approve(run.show_plan(PLAN), PLAN.fingerprint)
    run.now = OTHER
    with pytest.raises(
        NotApproved, match=f"approval {PLAN.fingerprint} is not for this plan; it is {OTHER.fingerprint}"
    ):
        run.act(PLAN)
    assert (events(run), taken) == (["approved"], [])
    assert run.record.result is not None
    assert run.record.result["plan"]["fingerprint"] == OTHER.fingerprint
    assert OTHER.fingerprint in (run.folder / "plan.json").read_text()
    assert not (run.folder / ACTED).exists()


def test_approval_of_another_plan_is_refused(begin: Callable[..., Acting]) -> None:
    """Whatever plan the cell is handed, what is held against the approval is the plan as it is now."""
    run = begin(1)
    run.approve(OTHER, OTHER.fingerprint)
    for handed in (OTHER, PLAN):
        with pytest.raises(NotApproved):
            run.act(handed)
    assert taken == []


def test_plan_that_nobody_approved_is_refused(begin: Callable[..., Acting]) -> None:
    """Running the cell is not approving."""
    run = begin(1)
    with pytest.raises(NotApproved, match="the plan has not been approved"):
        run.act(run.show_plan(PLAN))
    assert taken == []


def cut_run(begin: Callable[..., Acting]) -> Acting:
    """A run that acted on PLAN and failed in its first step; its way back was taken."""
    run = begin(1)
    run.approve(run.show_plan(PLAN), PLAN.fingerprint)
    run.context.state["fails"] = "move"
    with pytest.raises(StepFailed, match="it does not move; the way back was taken"):
        run.act(PLAN)
    run.record.finish("failed", 1)
    return run


def test_failed_step_takes_the_way_back(begin: Callable[..., Acting]) -> None:
    """The run's own journal tells both ways."""
    run = cut_run(begin)
    assert events(run)[2:] == ["intent", "failed", "way-back", "intent", "done", "back"]
    assert taken == ["move", "back-app1"]


def test_resumed_run_goes_on_with_the_plan_that_was_cut(begin: Callable[..., Acting]) -> None:
    """Half done, another plan would be made now: the one that was approved is carried on, with the approval."""
    earlier = cut_run(begin)
    run = begin(2, earlier.folder.name)
    run.now = OTHER
    assert run.cut is not None
    run.approve(run.show_plan(run.cut.plan))
    run.act(run.cut.plan)
    assert events(run) == ["approval-carried", "approval-used", "intent", "done"]
    assert run.done[0]["evidence"] == {"resumes": earlier.folder.name}


def test_resumed_run_acts_on_no_other_plan(begin: Callable[..., Acting]) -> None:
    """An approval that was given anew, for another plan, does not let the cut one act."""
    run = begin(2, cut_run(begin).folder.name)
    taken.clear()
    run.approve(OTHER, OTHER.fingerprint)
    with pytest.raises(NotApproved):
        run.act(OTHER)
    assert taken == []


def test_run_that_was_resumed_to_its_end_is_not_resumed_again(begin: Callable[..., Acting]) -> None:
    """The plan was approved for once: after the second run's success nothing replays it."""
    earlier = cut_run(begin)
    run = begin(2, earlier.folder.name)
    run.approve(PLAN)
    run.act(PLAN)
    run.record.finish("succeeded", 0)
    for done in (earlier, run):
        with pytest.raises(Exception, match="to its end"):
            begin(3 if done is earlier else 4, done.folder.name)


def test_new_plan_tells_of_a_run_that_was_left_unfinished(begin: Callable[..., Acting]) -> None:
    """Whoever approves the new plan has read first how to go on with the old one; after its end nothing is said."""
    earlier = cut_run(begin)

    def told(number: int) -> str:
        run = begin(number)
        run.facts = Snapshot("embedded", "")
        run.planned()
        lines = list(Journal(run.folder / "journal.jsonl").lines())
        return next((line["run"] for line in lines if line.get("section") == "left-open"), "")

    assert told(2) == earlier.folder.name
    resumed = begin(3, earlier.folder.name)
    resumed.approve(PLAN)
    resumed.act(PLAN)
    resumed.record.finish("succeeded", 0)
    assert told(4) == ""
