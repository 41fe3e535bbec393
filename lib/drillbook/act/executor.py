"""The one executor: carries out a plan's steps, intent before and outcome after each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drillbook.act.journal import Journal
from drillbook.decide.plan import Plan, Step
from drillbook.errors import RunbookError, StepFailed
from drillbook.target import Target


@dataclass
class Context:
    """What an action may use: the target, the run's folder, and what earlier steps found.

    `state` carries values between the steps of one plan (an open partial
    backup, a scratch server); nothing in it survives the run.
    """

    target: Target
    folder: Path
    state: dict[str, Any] = field(default_factory=dict)


Action = Callable[[Step, Context], Mapping[str, Any]]
_actions: dict[str, Action] = {}


def verb(name: str) -> Callable[[Action], Action]:
    """Register the decorated action under *name*; it returns its evidence as plain JSON."""

    def register(action: Action) -> Action:
        _actions[name] = action
        return action

    return register


def execute(
    plan: Plan,
    journal: Journal,
    context: Context,
    watch: Callable[[Iterable[Step]], Iterable[Step]] = iter,
) -> list[dict[str, Any]]:
    """Carry out *plan* step by step; *watch* may wrap the steps to show progress.

    Changes what the plan says, and the journal.

    Raises:
        StepFailed: a step did not do what it promised; later steps were not tried.
    """
    return [_carry_out(step, journal, context) for step in watch(plan.steps)]


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
