"""The first cell's call: a run's folder given, adopted or made, its record kept truthful from then on."""

from __future__ import annotations

import atexit
import os
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from drillbook.act.journal import Journal
from drillbook.errors import BadParameters, BadTarget, RunbookError
from drillbook.observe.holder import me
from drillbook.run import stopped
from drillbook.run.closing import finish
from drillbook.run.parameters import check_injected
from drillbook.run.record import INVALID, Record, new_run_folder
from drillbook.run.session import Run, person
from drillbook.target import load_target

RUNBOOKS = ("diagnose", "backup", "reset", "restore", "verify", "drill", "rollback", "rehearse", "postmortem")
_open: list[Run] = []


def start(runbook: str, target: str = "connect") -> Any:
    """Open a run of *runbook* on *target*: its folder, its record, its journal and, if it writes, the target's lock.

    Adopts the folder that `drillbook run` or `drillbook open` made; else makes
    one under `outputs/`. Parameters that papermill injected are checked again.

    Raises:
        BadParameters: an injected parameter is unknown, of the wrong type or not one of its choices.
        Locked: another run holds the target.
    """
    for earlier in list(_open):
        earlier.close()
    if runbook not in RUNBOOKS:
        raise BadParameters(f"there is no runbook {runbook!r}", f"the runbooks are: {', '.join(RUNBOOKS)}")
    keeper = _Keeper(runbook, str(target))
    stopped.install(keeper.remember)
    record = keeper.open()
    described = load_target(str(target))
    chosen = import_module(f"drillbook.run.{runbook}")
    run: Run = chosen.RUN(described, record, keeper.folder)
    keeper.run = run
    _open.append(run)
    run.begin()
    return run


class _Keeper:
    """Keeps the record truthful from the first moment, before there is a run."""

    def __init__(self, runbook: str, target: str) -> None:
        self.runbook, self.target = runbook, target
        self.run: Run | None = None
        self.record: Record | None = None
        self.folder = Path()

    def open(self) -> Record:
        self.folder = _folder(self.runbook, self.target)
        self.record = Record.load(self.folder)
        atexit.register(self.settle)
        injected = check_injected(self.runbook, _cells())
        self.record.update(parameters={**injected, **self.record.parameters})
        return self.record

    def remember(self, error: BaseException) -> None:
        fact = error.fact if isinstance(error, RunbookError) else f"{type(error).__name__}: {error}"
        hint = error.hint if isinstance(error, RunbookError) else "the executed copy keeps the traceback"
        status, code, reason = ("failed", 1, "an unforeseen error")
        if isinstance(error, RunbookError):
            status, code, reason = error.status, error.exit_code, error.reason
        told = {
            "type": type(error).__name__,
            "fact": fact,
            "hint": hint,
            "status": status,
            "exit_code": code,
            "reason": reason,
        }
        if self.record is None:
            return  # it was refused before it had a folder; the cell says why
        self.record.update(error=told)
        Journal(self.folder / "journal.jsonl").write("stopped", error=type(error).__name__, fact=fact)

    def settle(self) -> None:
        """End the record of a run that never began, when no runner does that."""
        if self.run is None and self.record is not None and "DRILLBOOK_RUN_DIR" not in os.environ:
            finish(self.record, self.folder, complete=False)


def _folder(runbook: str, target: str) -> Path:
    """The folder that this run lives in: given, adopted, or new."""
    given = os.environ.get("DRILLBOOK_RUN_DIR")
    if given:
        return Path(given)
    if (Path.cwd() / "run.json").is_file():
        record = Record.load(Path.cwd())
        if record.mode != "lab":
            raise BadParameters(
                f"this is the executed copy of {record.run}, a record and not a runbook",
                f"drillbook open {record.runbook} --target {record.target} gives a working copy",
            )
        if record.status == "running":
            record.update(**asdict(me()))
            return Path.cwd()
    name = _name(target)
    folder = new_run_folder(name or INVALID, runbook)
    mode = "lab" if person() else "papermill"
    # the notebook lies where the person, or papermill, was told to put it
    Record.create(folder, runbook=runbook, target=name or target, parameters={}, mode=mode, notebook=None)
    return folder


def _name(target: str) -> str:
    """What the target calls itself; empty when there is none, which the run then tells."""
    try:
        return load_target(target).name
    except BadTarget:
        return ""


def _cells() -> list[str]:
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return [str(cell) for cell in shell.user_ns.get("In", [])] if shell is not None else []
