"""The executor: intent before, outcome after, and nothing after a failure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import builders
import pytest

from drillbook.act.executor import Context, execute, verb
from drillbook.act.journal import Journal
from drillbook.decide.plan import Plan, Step
from drillbook.errors import RunbookError, StepFailed


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
