"""Going on with a run that was cut: its plan, when it was approved and nobody else has acted since."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drillbook.act.journal import Journal
from drillbook.decide.plan import Plan
from drillbook.errors import Refused, RunbookError
from drillbook.run.record import Record
from drillbook.target import Target

ACTED = "acted.json"
"""The plan that a run acts on: in JupyterLab another one may be shown after it."""
AGAIN = "run it without --resume: a new plan starts from what is there now"


@dataclass(frozen=True)
class Cut:
    """A run that was cut after its plan was approved; `done` are the steps whose outcome its journal holds."""

    run: str
    plan: Plan
    done: tuple[str, ...]
    at: str = ""

    @property
    def rows(self) -> list[dict[str, object]]:
        """Each step and how far the cut run came with it."""
        return [{"step": step.id, "on": step.subject, "in the cut run": self._state(step.id)}
                for step in self.plan.steps]  # fmt: skip

    def _state(self, step: str) -> str:
        return "done" if step in self.done else "cut here" if step == self.at else "not begun"


def cut(folder: Path, target: Target, runbook: str) -> Cut | None:
    """What *folder*'s run left to do; None when it was cut before its plan was approved: then a new plan is made.

    Changes nothing.

    Raises:
        Refused: it, or a run that resumed it, came to its end; its plan is not the one that was approved; it was of
            another target; or another run has acted on the target since.
    """
    record, lines = Record.load(folder), list(Journal(folder / "journal.jsonl").lines())
    if record.status == "succeeded":
        raise Refused(f"run {record.run} came to its end: there is nothing to resume", AGAIN)
    used = [line["fingerprint"] for line in lines if line["event"] == "approval-used"]
    if not used:
        return None
    plan = _plan(folder, record.run)
    if plan.fingerprint != used[-1]:
        raise Refused(f"the plan of {record.run} is not the one that was approved ({used[-1]})", AGAIN)
    if plan.identity != target.identity or plan.runbook != runbook:
        raise Refused(f"the plan of {record.run} is for another target: its file has changed since", AGAIN)
    _refuse_later(folder, target, plan.fingerprint)
    done, begun = progress(folder)
    planned = [step.id for step in plan.steps]
    at = next((step for step in reversed(begun) if step in planned and step not in done), "")
    return Cut(record.run, plan, done, at)


def progress(folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The steps whose outcome the journal of *folder*'s run holds, and those that it began, in its order."""
    lines = list(Journal(folder / "journal.jsonl").lines())
    done, begun = ([line["step"] for line in lines if line["event"] == event] for event in ("done", "intent"))
    return tuple(done), tuple(begun)


def kept_plan(folder: Path) -> Any:
    """The plan that *folder*'s run acted on, as it is kept; the one that it showed last, where it acted on none.

    Raises:
        OSError, ValueError: there is none, or it is not JSON.
    """
    file = folder / ACTED
    return json.loads((file if file.is_file() else folder / "plan.json").read_bytes())


def _plan(folder: Path, run: str) -> Plan:
    try:
        return Plan.from_json(kept_plan(folder))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(f"the plan of {run} cannot be read: {error!r}", AGAIN) from error


def _refuse_later(folder: Path, target: Target, fingerprint: str) -> None:
    """An approval is for once: not after another plan was carried out, nor after a later run ended this one well."""
    for other in sorted(path for path in folder.parent.iterdir() if path.name > folder.name):
        lines = Journal(other / "journal.jsonl").lines()
        used = {line["fingerprint"] for line in lines if line["event"] == "approval-used"}
        if used - {fingerprint}:
            raise Refused(f"{other.name} has acted on {target.name} since {folder.name} was cut", AGAIN)
        if used and Record.load(other).status == "succeeded":
            raise Refused(f"{other.name} has carried out the plan of {folder.name} to its end", AGAIN)


def left_open(target_folder: Path, target: Target, runbooks: Iterable[str]) -> tuple[str, Cut] | None:
    """The newest of *runbooks*' runs on *target* and what it left to do; None where nothing of it can be resumed.

    Changes nothing.
    """
    acted = [(folder, runbook) for runbook in runbooks for folder in newest(target_folder, runbook)[:1]]
    if not acted:
        return None
    folder, runbook = max(acted, key=lambda pair: pair[0].name)
    try:
        left = cut(folder, target, runbook)
    except RunbookError:  # it came to its end, is of another target, or is not whole: no new plan waits for it
        return None
    return (runbook, left) if left else None


def newest(target_folder: Path, runbook: str) -> list[Path]:
    """The folders of *runbook*'s runs below *target_folder* that used an approval, newest first."""
    found = []
    for folder in sorted(target_folder.glob(f"*-{runbook}-*"), reverse=True):
        if any(line["event"] == "approval-used" for line in Journal(folder / "journal.jsonl").lines()):
            found.append(folder)
    return found
