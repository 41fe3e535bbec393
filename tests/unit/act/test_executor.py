"""The executor: intent before, outcome after, nothing after a failure but the way back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import builders
import pytest

from drillbook.act import journal as journals
from drillbook.act.executor import Context, execute, verb
from drillbook.act.journal import Journal
from drillbook.decide.plan import Plan, Step
from drillbook.errors import EngineDown, RunbookError, StepFailed, Unrecorded


@verb("test.write")
def write(step: Step, context: Context) -> Mapping[str, Any]:
    told = [(line["event"], line.get("step")) for line in Journal(context.folder / "journal.jsonl").lines()]
    (context.folder / step.subject).write_text("here")
    return {"journal_before": told}


@verb("test.refuse")
def refuse(step: Step, context: Context) -> Mapping[str, Any]:
    raise RunbookError("the disk is full", "free some space")


@verb("test.break")
def crash(step: Step, context: Context) -> Mapping[str, Any]:
    raise ZeroDivisionError("unforeseen")


@verb("test.cut")
def cut(step: Step, context: Context) -> Mapping[str, Any]:
    raise KeyboardInterrupt


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(builders.target(tmp_path / "target.yaml"), tmp_path)


def run(context: Context, *verbs: str) -> list[dict[str, Any]]:
    steps = tuple(Step(f"{number}-{name}", name, f"file-{number}") for number, name in enumerate(verbs, 1))
    return execute(Plan("reset", "connect", "0", {}, steps), journal(context), context)


def journal(context: Context) -> Journal:
    return Journal(context.folder / "journal.jsonl")


def events(context: Context) -> list[tuple[str, str]]:
    return [(line["event"], line["step"]) for line in journal(context).lines()]


def test_intent_is_on_disk_before_the_effect(context: Context) -> None:
    """Whoever reads the journal after a cut sees what was about to be done."""
    done = run(context, "test.write")
    assert done[0]["evidence"]["journal_before"] == [("intent", "1-test.write")]
    assert events(context) == [("intent", "1-test.write"), ("done", "1-test.write")]


def test_outcome_carries_evidence_and_seconds(context: Context) -> None:
    """Each step gives back what it saw and how long it took."""
    (outcome,) = run(context, "test.write")
    assert set(outcome) == {"step", "subject", "seconds", "evidence"}
    assert list(journal(context).lines())[-1]["evidence"] == {"journal_before": [["intent", "1-test.write"]]}


@pytest.mark.parametrize(("name", "fact"), [("test.refuse", "the disk is full"), ("test.break", "unforeseen")])
def test_failure_stops_the_plan(context: Context, name: str, fact: str) -> None:
    """A failed step is journalled as failed, and no later step is tried."""
    with pytest.raises(RunbookError, match=fact):
        run(context, "test.write", name, "test.write")
    assert events(context)[2:] == [("intent", f"2-{name}"), ("failed", f"2-{name}")]
    assert not (context.folder / "file-3").exists()


def test_unforeseen_error_becomes_a_failed_step(context: Context) -> None:
    """An error nobody foresaw still ends as a fact with a hint, and keeps its cause."""
    with pytest.raises(StepFailed) as caught:
        run(context, "test.break")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert caught.value.hint


def test_foreseen_error_keeps_its_hint(context: Context) -> None:
    """The hint of the step that failed reaches the person as it was written."""
    with pytest.raises(RunbookError) as caught:
        run(context, "test.refuse")
    assert caught.value.hint == "free some space"


def test_cut_leaves_the_intent_without_an_outcome(context: Context) -> None:
    """An interrupted step is neither done nor failed, for nobody knows."""
    with pytest.raises(KeyboardInterrupt):
        run(context, "test.cut")
    assert events(context) == [("intent", "1-test.cut")]


def test_unknown_verb_changes_nothing(context: Context) -> None:
    """A step that no action carries out fails as a step."""
    with pytest.raises(StepFailed):
        run(context, "test.nobody")
    assert events(context)[-1] == ("failed", "1-test.nobody")


def test_watch_sees_each_step_as_it_is_taken(context: Context) -> None:
    """Progress is shown by wrapping the steps; they are carried out one by one."""
    seen: list[str] = []

    def watch(steps: Any) -> Any:
        for step in steps:
            seen.append(step.id)
            yield step

    steps = (Step("a", "test.write", "a"), Step("b", "test.refuse", "b"), Step("c", "test.write", "c"))
    with pytest.raises(RunbookError):
        execute(Plan("reset", "connect", "0", {}, steps), journal(context), context, watch)
    assert seen == ["a", "b"]


BACK = (Step("back-1", "test.write", "back-1"), Step("back-2", "test.write", "back-2"))


def returning(context: Context, *verbs: str, turns: tuple[str, ...], back: tuple[Step, ...] = BACK) -> list[str]:
    """Carry out steps of these verbs, called `1`, `2` …, with a way back; what was called before the way back began."""
    steps = tuple(Step(str(n), name, f"file-{n}") for n, name in enumerate(verbs, 1))
    plan, called = Plan("reset", "connect", "0", {}, steps, back=back, turns=turns), list[str]()

    def before_back() -> bool:
        called.append(events(context)[-1][1])
        return bool(context.state.get("waits"))

    try:
        execute(plan, journal(context), context, before_back=before_back)
    finally:
        context.state["called"] = called
    return called


@pytest.mark.parametrize("name", ["test.refuse", "test.break"])
def test_way_back_is_taken_from_a_step_that_turns(context: Context, name: str) -> None:
    """Intent, failure, the decision, each step of the way back with intent and outcome, and only then: back."""
    with pytest.raises(StepFailed):
        returning(context, "test.write", name, "test.write", turns=("2",))
    assert events(context) == [
        ("intent", "1"), ("done", "1"), ("intent", "2"), ("failed", "2"), ("way-back", "2"),
        ("intent", "back-1"), ("done", "back-1"), ("intent", "back-2"), ("done", "back-2"), ("back", "2"),
    ]  # fmt: skip
    assert context.state["called"] == ["2"], "once, after the failure and before the way back"
    assert not (context.folder / "file-3").exists()


def test_decision_to_go_back_is_journalled_with_its_reason(context: Context) -> None:
    """Who reads the journal sees why, and which steps were to come."""
    with pytest.raises(StepFailed):
        returning(context, "test.refuse", turns=("1",))
    line = next(line for line in journal(context).lines() if line["event"] == "way-back")
    assert (line["fact"], line["steps"]) == ("the disk is full", ["back-1", "back-2"])


def test_steps_own_error_tells_that_the_old_serves_again(context: Context) -> None:
    """The fact stays the step's own; the way back is told beside it, the cause kept."""
    with pytest.raises(StepFailed) as caught:
        returning(context, "test.refuse", turns=("1",))
    assert caught.value.fact == "the disk is full; the way back was taken: what served before serves again"
    assert caught.value.hint == "free some space; then run this again, or --resume it"
    assert isinstance(caught.value.__cause__, RunbookError)


@pytest.mark.parametrize("turns", [(), ("1",), ("1", "3")])
def test_no_way_back_from_a_step_that_touches_nothing(context: Context, turns: tuple[str, ...]) -> None:
    """A build that fails leaves what runs alone; after the last turn the new serves, and nothing is undone."""
    with pytest.raises(RunbookError) as caught:
        returning(context, "test.write", "test.refuse", turns=turns)
    assert events(context)[-1] == ("failed", "2")
    assert (caught.value.fact, context.state["called"]) == ("the disk is full", [])


def test_good_end_takes_no_way_back(context: Context) -> None:
    """A plan that is carried out leaves its way back untouched."""
    assert returning(context, "test.write", "test.write", turns=("1", "2")) == []
    assert [event for event, _ in events(context)] == ["intent", "done"] * 2


def test_interruption_takes_no_way_back(context: Context) -> None:
    """Who presses Ctrl-C is not kept waiting by more steps: the run can be resumed."""
    with pytest.raises(KeyboardInterrupt):
        returning(context, "test.cut", turns=("1",))
    assert events(context) == [("intent", "1")]


def test_failure_on_the_way_back_names_both(context: Context) -> None:
    """Both failures are told; the rest of the way back is not tried, and nothing says `back`."""
    back = (BACK[0], Step("back-2", "test.break", "x"), Step("back-3", "test.write", "never"))
    with pytest.raises(StepFailed) as caught:
        returning(context, "test.refuse", turns=("1",), back=back)
    first, second = "the disk is full", "the way back ended in back-2: step back-2 broke: unforeseen"
    assert caught.value.fact == f"{first}; and {second}"
    assert "diagnose what serves now" in caught.value.hint
    assert events(context)[-1] == ("failed", "back-2")
    assert context.state["called"] == ["1", "back-2"]


@verb("test.once")
def once(step: Step, context: Context) -> dict[str, Any]:
    """Fails the first time: the engine goes away meanwhile."""
    if context.state.setdefault("once", step.id) == step.id:
        context.state["once"] = ""
        raise RunbookError("the engine does not answer")
    return {}


@pytest.mark.parametrize("waits", [True, False])
def test_way_back_goes_on_after_what_it_had_to_wait_for(context: Context, waits: bool) -> None:
    """A step that an engine's restart broke off is taken once more; one that fails for a reason of its own is not."""
    context.state["waits"] = waits
    back = (Step("back-1", "test.once", "x"), BACK[1])
    with pytest.raises(StepFailed) as caught:
        returning(context, "test.refuse", turns=("1",), back=back)
    again = [("intent", "back-1"), ("done", "back-1"), ("intent", "back-2"), ("done", "back-2"), ("back", "1")]
    assert events(context)[3:] == [("intent", "back-1"), ("failed", "back-1"), *(again if waits else [])]
    assert ("the way back was taken" in caught.value.fact) == waits


def test_way_back_that_fails_again_ends_there(context: Context) -> None:
    """Once more is not for ever."""
    context.state["waits"] = True
    with pytest.raises(StepFailed, match="the way back ended in back-1"):
        returning(context, "test.refuse", turns=("1",), back=(Step("back-1", "test.refuse", "x"), BACK[1]))
    assert [event for event, step in events(context) if step == "back-1"] == ["intent", "failed"] * 2


def test_nothing_is_done_that_cannot_be_recorded(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the journal's disk is full there is no way back either: it could not be told afterwards."""
    whole = journals._whole

    def full(handle: int, data: bytes) -> None:
        if b'"failed"' in data:
            raise OSError(28, "No space left on device")
        whole(handle, data)

    monkeypatch.setattr(journals, "_whole", full)
    with pytest.raises(Unrecorded, match="No space left on device"):
        returning(context, "test.write", "test.refuse", turns=("1", "2"))
    assert events(context) == [("intent", "1"), ("done", "1"), ("intent", "2")]
    assert context.state["called"] == []
    assert not (context.folder / "back-1").exists()


def test_step_whose_outcome_cannot_be_recorded_takes_no_way_back(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It did what it promised, nobody can say so: the run ends there, and is resumed when there is space."""
    whole = journals._whole

    def full(handle: int, data: bytes) -> None:
        if b'"done"' in data:
            raise OSError(28, "No space left on device")
        whole(handle, data)

    monkeypatch.setattr(journals, "_whole", full)
    with pytest.raises(Unrecorded):
        returning(context, "test.write", "test.write", turns=("1", "2"))
    assert events(context) == [("intent", "1")]
    assert not (context.folder / "file-2").exists()


@verb("test.down")
def down(step: Step, context: Context) -> Mapping[str, Any]:
    raise EngineDown("the container engine went away", "start it", "its own words")


def test_evidence_of_the_failure_is_kept(context: Context) -> None:
    """What the step saw goes with the error that tells of the way back."""
    with pytest.raises(StepFailed) as caught:
        returning(context, "test.down", turns=("1",))
    assert caught.value.evidence == "its own words"
