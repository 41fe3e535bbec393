"""The one executor: carries out a plan's steps, intent before and outcome after each; and the way back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drillbook.act.journal import Journal
from drillbook.decide.plan import Plan, Step
from drillbook.errors import RunbookError, StepFailed, Unrecorded
from drillbook.target import Target


@dataclass
class Context:
    """What an action may use: the target, the run's folder, and what earlier steps found.

    `state` carries values between the steps of one plan (an open partial
    backup, a scratch server); nothing in it survives the run. `resumes` is the
    run that was cut and whose plan this one goes on with, empty for none.
    """

    target: Target
    folder: Path
    state: dict[str, Any] = field(default_factory=dict)
    resumes: str = ""


Action = Callable[[Step, Context], Mapping[str, Any]]
_actions: dict[str, Action] = {}


def verb(name: str) -> Callable[[Action], Action]:
    """Register the decorated action under *name*; it returns its evidence as plain JSON.

    An action may be carried out again after a cut: it looks what is done already, and goes on from there.
    """

    def register(action: Action) -> Action:
        _actions[name] = action
        return action

    return register


def execute(
    plan: Plan,
    journal: Journal,
    context: Context,
    watch: Callable[[Iterable[Step]], Iterable[Step]] = iter,
    before_back: Callable[[], bool] = lambda: False,
) -> list[dict[str, Any]]:
    """Carry out *plan* step by step; *watch* may wrap the steps to show progress.

    Changes what the plan says, and the journal. When a step fails that the plan has a way back from, that is
    taken, after *before_back*; the step's own error is raised all the same. A step of the way back that fails
    is tried once more where *before_back*, called again, says that it had to wait for something.

    Raises:
        StepFailed: a step did not do what it promised; later steps were not tried.
    """
    done = []
    for step in watch(plan.steps):
        try:
            done.append(_carry_out(step, journal, context))
        except RunbookError as error:
            if step.id not in plan.turns or isinstance(error, Unrecorded):
                raise
            before_back()
            raise _returned(error, step, plan.back, journal, context, before_back) from error
    return done


def _returned(
    error: RunbookError, step: Step, back: Sequence[Step], journal: Journal, context: Context, waits: Callable[[], bool]
) -> StepFailed:
    """Take the way back after *step* failed with *error*; the error to raise, which says where it led."""
    journal.write("way-back", step=step.id, fact=error.fact, steps=[s.id for s in back])
    try:
        for undo in back:
            _undone(undo, journal, context, waits)
    except RunbookError as second:
        fact = f"{error.fact}; and the way back ended in {undo.id}: {second.fact}"
        hint = f"diagnose what serves now, then --resume this run, or drillbook run rollback; {second.hint}"
        return StepFailed(fact, hint, error.evidence)
    journal.write("back", step=step.id)
    fact = f"{error.fact}; the way back was taken: what served before serves again"
    hint = f"{error.hint or 'mend it'}; then run this again, or --resume it"
    return StepFailed(fact, hint, error.evidence)


def _undone(undo: Step, journal: Journal, context: Context, waits: Callable[[], bool]) -> None:
    """An engine that stops answers for a while yet: what it broke off is taken again when it is there again."""
    try:
        _carry_out(undo, journal, context)
    except RunbookError as error:
        if isinstance(error, Unrecorded) or not waits():
            raise
        _carry_out(undo, journal, context)


def _carry_out(step: Step, journal: Journal, context: Context) -> dict[str, Any]:
    journal.write("intent", step=step.id, verb=step.verb, subject=step.subject, argv=list(step.argv), sql=step.sql)
    started = time.monotonic()
    try:
        evidence = dict(_actions[step.verb](step, context))
    except RunbookError as error:
        journal.write("failed", step=step.id, fact=error.fact, seconds=round(time.monotonic() - started, 3))
        raise
    except Exception as error:
        journal.write("failed", step=step.id, fact=repr(error), seconds=round(time.monotonic() - started, 3))
        raise StepFailed(f"step {step.id} broke: {error}", "the journal says how far the run came") from error
    seconds = round(time.monotonic() - started, 3)
    journal.write("done", step=step.id, seconds=seconds, evidence=evidence)
    return {"step": step.id, "subject": step.subject, "seconds": seconds, "evidence": evidence}
