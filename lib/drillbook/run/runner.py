"""Runs a runbook unattended: checks, executes, and leaves a truthful record whatever happens."""

from __future__ import annotations

import inspect
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from drillbook import errors
from drillbook.errors import BadParameters, RunbookError
from drillbook.run import executed, ledger, runbooks
from drillbook.run.order import Asked, Order, check
from drillbook.run.record import INVALID, Record, last_step, new_run_folder
from drillbook.run.redact import Redactor, secrets_of, smells_of_secret
from drillbook.run.runbooks import Runbook
from drillbook.run.supervise import Ending, follow
from drillbook.target import Target, load_target

LOOK = "the executed copy keeps the traceback"


def run_runbook(  # noqa: PLR0913
    runbook: str,
    target: str = "",
    given: Mapping[str, str] | None = None,
    file: Path | Mapping[str, Any] | None = None,
    approve: str = "",
    resume: str = "",
    *,
    cell_timeout: int | None = None,
    quiet: bool = False,
) -> Record:
    """Run *runbook* on *target* in a process of its own; its record, ended and entered in the ledger.

    A run that may not start leaves its folder, record and copy too. Progress
    goes to standard error, unless *quiet*.

    Raises:
        BadParameters: there is no such runbook, or it is an executed copy.
        RunbookError: the folder of the runs cannot be written.
    """
    found = runbooks.find(runbook)
    asked = Asked(target, given, file, approve, resume)
    try:
        ledger.settle_all()
        order = check(found, asked)
    except BadParameters as error:
        return _not_started(found, asked, error)
    folder = new_run_folder(order.target.name, found.name)
    try:
        return _run(order, folder, cell_timeout, _hush if quiet else _say)
    except OSError as error:
        raise RunbookError(
            f"the run's folder cannot be written: {error.strerror}: {folder}",
            "free space there; drillbook runs then settles this run",
        ) from error


def _run(order: Order, folder: Path, cell_timeout: int | None, say: Callable[[str], None]) -> Record:
    redactor = Redactor(secrets_of(order.target, order.parameters))
    executed.copy(order.runbook.path, folder)
    record = Record.create(folder, order.runbook.name, order.target.name, parameters=order.parameters)
    say(f"run {record.run}")
    job = {
        "notebook": str(order.runbook.path),
        "folder": str(folder),
        "parameters": order.parameters,
        "cell_timeout": cell_timeout,
    }
    began = time.monotonic()
    ending = follow(job, redactor, order.resume, lambda text: say(f"{time.monotonic() - began:7.1f} s  {text}"))
    return _conclude(Record.load(folder), ending, redactor)


def _conclude(record: Record, ending: Ending, redactor: Redactor) -> Record:
    """Write the end into the record, the copy and the ledger, without secrets."""
    status, code, reason, error = _judge(record, ending)
    told = {key: value for key, value in (error or {}).items() if key not in {"status", "exit_code", "reason"}}
    record.result, record.parameters = redactor.tree(record.result), redactor.tree(record.parameters)
    step = redactor.tree(last_step(record.folder) or record.step or ending.section or None)
    record.finish(status, code, redactor.text(reason), step=step, error=redactor.tree(told) if told else None)
    executed.mend(record)
    redactor.folder(record.folder)
    ledger.enter(record.folder)
    return record


def _judge(record: Record, ending: Ending) -> tuple[str, int, str, dict[str, Any] | None]:  # noqa: PLR0911
    """Status, exit code, reason and error of a run that ended like this."""
    said = record.error
    if ending.aborted_by:
        return _aborted_by(ending.aborted_by, said)
    where = f" in section {ending.section!r}" if ending.section else ""
    match ending.how:
        case "done" if not said:
            return _done(record)
        case "done" | "error":
            error = said or _of_tree(ending) or _unforeseen(ending, where)
            return error.get("status", "failed"), error.get("exit_code", 1), error.get("reason", "failed"), error
        case "timeout":
            fact, hint = f"a cell ran out of its time{where}", "give more with --cell-timeout SECONDS"
            return "failed", 1, "cell timed out", _error("CellTimeout", fact, hint)
        case "unwritten":
            fact = f"the executed copy cannot be written: {ending.evalue}"
            return "failed", 1, "copy not written", _error("RunbookError", fact, "free space there, then run it again")
        case "no kernel":
            fact, hint = f"no kernel started: {ending.evalue}", "see stderr.log in the run's folder; drillbook doctor"
            return "failed", 1, "no kernel", _error("RunbookError", fact, hint)
    what = "kernel died" if ending.how == "kernel died" else "runner's child died"
    hint = f"see stderr.log in the run's folder; look at what there is now with 01-diagnose, then --resume {record.run}"
    return "aborted", 1, what, said or _error("Aborted", f"the {what}{where}", hint)


def _done(record: Record) -> tuple[str, int, str, dict[str, Any] | None]:
    if left := executed.unexecuted(record.folder):
        fact = f"the runbook stopped before its end: {len(left)} code cells did not run"
        return (
            "failed",
            1,
            "stopped early",
            _error("RunbookError", fact, "a cell ended the kernel's work; see the copy"),
        )
    return "succeeded", 0, "", None


def _aborted_by(number: int, said: dict[str, Any] | None) -> tuple[str, int, str, dict[str, Any]]:
    name = signal.Signals(number).name
    hint = "look at what there is now with 01-diagnose; the journal says how far the run came, --resume goes on"
    return "aborted", 128 + number, name, said or _error("Aborted", f"the run was ended by {name}", hint)


def _of_tree(ending: Ending) -> dict[str, Any] | None:
    """A RunbookError that ended a cell before there was a session to remember it."""
    kind = dict(inspect.getmembers(errors, inspect.isclass)).get(ending.ename)
    if kind is None or not issubclass(kind, RunbookError):
        return None
    fact, _, hint = ending.evalue.partition("\nHINT: ")
    end = {"status": kind.status, "exit_code": kind.exit_code, "reason": kind.reason}
    return {**_error(ending.ename, fact, hint), **end}


def _unforeseen(ending: Ending, where: str) -> dict[str, Any]:
    fact = f"{ending.ename}: {ending.evalue}".splitlines()[0]
    return {**_error(ending.ename, f"{fact}{where}", LOOK), "reason": "an unforeseen error"}


def _error(kind: str, fact: str, hint: str) -> dict[str, Any]:
    return {"type": kind, "fact": fact, "hint": hint}


def _not_started(runbook: Runbook, asked: Asked, error: BadParameters) -> Record:
    """The record of a run that its parameters or its target kept from starting."""
    target = _target(asked.named_target())
    folder = new_run_folder(target.name if target else INVALID, runbook.name)
    given = {**(asked.file if isinstance(asked.file, Mapping) else {}), **(asked.given or {})}
    shown = {key: "[redacted]" if smells_of_secret(key) else value for key, value in given.items()}
    name = target.name if target else asked.named_target()
    executed.copy(runbook.path, folder)
    record = Record.create(folder, runbook.name, name, parameters=shown)
    end = {"status": error.status, "exit_code": error.exit_code, "reason": error.reason}
    record.error = {**_error(type(error).__name__, error.fact, error.hint), **end}
    return _conclude(record, Ending(how="error"), Redactor(secrets_of(target)))


def _target(name: str) -> Target | None:
    try:
        return load_target(name) if name else None
    except BadParameters:
        return None


def _hush(_: str) -> None:
    """Says nothing."""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def where(record: Record) -> str:
    """The run's folder, as short as it can be said from here."""
    here = Path.cwd()
    return str(record.folder.relative_to(here)) if record.folder.is_relative_to(here) else str(record.folder)
