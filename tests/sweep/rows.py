"""One row of the table for each fault at each step, made by striking a real run there and going on after it."""

from __future__ import annotations

import json
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from drillbook.errors import RunbookError
from drillbook.run.record import settle
from drillbook.run.resume import progress
from suites.draw import PARTS, number
from suites.seconds import part
from sweep.faults import FAULTS, Fault
from sweep.stand import STRUCK, Stand, stand

ENDS = {"aborted", "failed"}
NOTHING = "nothing"
ENDING = "(none: resumed to its end)"


@dataclass(frozen=True)
class Steps:
    """Which steps of a plan are struck: those that are named, those that a commit's hash draws, or all of them."""

    named: tuple[str, ...] = ()
    seed: str = ""

    def of(self, steps: list[str], project: str) -> list[str]:
        """Those of *steps*, in their order; what is drawn is one stretch of them."""
        if self.named:
            return [step for step in steps if plain(step, project) in self.named]
        if not self.seed:
            return steps
        return part(steps, lambda _: 1.0, number(self.seed, PARTS, salt=1), PARTS)


@dataclass(frozen=True)
class Row:
    """One fault at one step: how the run ended that it struck, and what was lost (nothing, it must be)."""

    fault: str
    step: str
    ended: str
    then: str
    lost: str
    seconds: float


def plain(step: str, project: str) -> str:
    """The step's name without the stand's: as it is on the other stand, and in another checkout."""
    return step.replace(f"{project}-", "")


def approved(stood: Stand) -> str:
    """The fingerprint of the plan as it would be made now."""
    record = stood.run("reset", "-p", "scope=images")
    assert record["code"] == 3, record.get("error")
    return str(record["result"]["plan"]["fingerprint"])


def swept(stood: Stand, fault: Fault, chosen: Steps) -> list[Row]:
    """One row for each chosen step; each run that was cut is resumed, and struck again at the next one.

    A fault that lasts is not struck again at a step that an earlier run began under it, unless steps are named.
    """
    rows, open_run, fingerprint, met = list[Row](), "", approved(stood), list[str]()
    steps = chosen.of(_steps(stood), stood.site.project)
    for turn, step in enumerate(steps):
        if step in met:
            continue
        new = ("-p", "scope=images", "--approve")
        words = ("--resume", open_run) if open_run else (*new, fingerprint or approved(stood))
        fingerprint, moment = "", fault.moments[turn % len(fault.moments)]
        row, open_run, folder = _struck(stood, fault, step, moment, words)
        rows.append(row)
        print(*cells(row), sep=" | ", flush=True)
        if fault.lasts and not chosen.named and (met := [s for s in _met(folder, step) if s in steps]):
            names = ", ".join(plain(step, stood.site.project) for step in met)
            print(fault.name, f"not struck again: the run above met it at {names}", sep=" | ", flush=True)
    if open_run:
        rows.append(_ending(stood, fault, open_run))
        print(*cells(rows[-1]), sep=" | ", flush=True)
    return rows


def _struck(stood: Stand, fault: Fault, step: str, moment: str, words: tuple[str, ...]) -> tuple[Row, str, Path]:
    """The row of one run that is struck at *step*, the run where it is to be resumed, and its folder."""
    began = time.monotonic()
    record = stood.run("reset", *words, step=step, moment=moment, command=fault.command(stood), beside=fault.beside)
    folder = Path(record["folder"])
    fault.mend(stood)
    record |= settle(folder).data
    wrong = [] if (folder / STRUCK).exists() else ["the fault never struck"]
    if fault.cuts and record["status"] not in ENDS:
        wrong.append(f"the run went on as {record['status']}")
    if record["status"] == "refused":
        wrong.append(f"refused: {record['error']['fact']}")
    row = _row(stood, fault, step, record, wrong, time.monotonic() - began)
    return row, "" if record["status"] == "succeeded" else str(record["run"]), folder


def _met(folder: Path, step: str) -> list[str]:
    """The steps that *folder*'s run began after it was struck at *step*, in their order; none where nothing did."""
    _, begun = progress(folder)
    return list(begun[begun.index(step) + 1 :]) if (folder / STRUCK).exists() and step in begun else []


def _steps(stood: Stand) -> list[str]:
    """The steps of the newest plan: the sweep is made from them."""
    newest = max((f for f in stood.folders() if (f / "plan.json").is_file()), key=lambda folder: folder.name)
    return [step["id"] for step in json.loads((newest / "plan.json").read_text())["steps"]]


def _row(stood: Stand, fault: Fault, step: str, record: dict[str, Any], wrong: list[str], seconds: float) -> Row:
    """What is to be said of a run that has ended: *wrong* already, and what the world says."""
    lost = [*wrong, *record["crude"]]
    try:
        stood.wait()
    except AssertionError as error:
        lost.append(f"the site does not answer: {error}")
    try:
        lost += stood.lost()
    except RunbookError as error:
        lost.append(f"what it holds cannot be read: {error}")
    fact = str((record.get("error") or {}).get("fact", ""))
    how = f"{record['status']}, exit {record['code']}"
    then = "resumed next" if record["status"] in ENDS else "done"
    then = "way back" if "the way back was taken" in fact else then
    return Row(fault.name, plain(step, stood.site.project), how, then, "; ".join(lost) or NOTHING, round(seconds, 1))


def _ending(stood: Stand, fault: Fault, run: str) -> Row:
    """The last resume, with nothing that strikes: it must come to its end."""
    began = time.monotonic()
    record = stood.run("reset", "--resume", run)
    wrong = [] if record["status"] == "succeeded" else [f"it does not converge: {record.get('error')}"]
    return _row(stood, fault, ENDING, record, wrong, time.monotonic() - began)


def cells(row: Row) -> tuple[str, ...]:
    return (row.fault, row.step, row.ended, row.then, row.lost, f"{row.seconds:.1f} s")


def at(place: tuple[str, int], left: Queue[str], steps: Steps) -> list[Row]:
    """Fault after fault, on a stand of their own, until *left* names no more."""
    faults = {fault.name: fault for fault in FAULTS}
    with tempfile.TemporaryDirectory(prefix="drillbook-sweep-") as folder, stand(*place, Path(folder)) as stood:
        try:
            return [row for name in _taken(left) for row in swept(stood, faults[name], steps)]
        except Exception:
            traceback.print_exc()  # at once: the other stand may go on for long
            raise


def _taken(left: Queue[str]) -> Iterator[str]:
    with suppress(Empty):
        while True:
            yield left.get_nowait()
