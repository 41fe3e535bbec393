"""Strike a real reset at every step of its plan with every kind of fault; print the table; 1 when anything was lost.

PYTHONPATH=lib:tests/unit:tests python -m sweep [--kinds KIND,…] [--alone no|only] [--steps STEP,…] [--draw SEED]
                                               [--results FILE]

KIND is a part of a fault's name. A commit's hash, SEED, draws one kind and a stretch of the steps.
Stands side by side, and each takes the next kind when it is through with one, those that take longest first.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]
os.environ.setdefault("DRILLBOOK_HOME", str(HOUSE))

from drillbook.act import images, install  # noqa: E402
from drillbook.act.site import state  # noqa: E402
from suites.draw import number  # noqa: E402
from sweep.faults import FAULTS, Fault, strikes_here  # noqa: E402
from sweep.rows import ENDING, NOTHING, Row, Steps, at, cells  # noqa: E402

STANDS = (("sweepa", 21080), ("sweepb", 22080), ("sweepc", 25080))


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="sweep")
    parser.add_argument("--kinds", type=_split, default=(), help="parts of the faults' names, with commas")
    parser.add_argument(
        "--alone", choices=("no", "only"), help="without the kinds that nothing may run beside, or those"
    )
    parser.add_argument("--steps", type=_split, default=(), help="the steps to strike at, with commas")
    parser.add_argument("--draw", default="", metavar="SEED")
    parser.add_argument("--results", type=Path, metavar="FILE")
    asked = parser.parse_args(words)
    install.ensure_engine()
    images.ensure_images()
    wanted = kinds(asked.kinds, asked.alone)
    if not wanted:
        parser.error(f"no kind of fault is called so; there are: {', '.join(fault.name for fault in FAULTS)}")
    chosen = [fault for fault in wanted if fault in strikes_here()]
    if asked.draw and chosen:
        chosen = [chosen[number(asked.draw, len(chosen))]]
    rows = _struck(chosen, Steps(asked.steps, asked.draw))
    missing = [fault.name for fault in wanted if fault not in strikes_here()]
    for name in missing:
        print(f"not made here, where drillbook did not start the engine: {name}")
    if asked.results:
        keep(asked.results, rows, missing)
    return _told(rows)


def _struck(faults: Sequence[Fault], steps: Steps) -> list[Row]:
    """The rows of all *faults*: on stands side by side, then on one stand those that must be alone."""
    rows, context = list[Row](), get_context("spawn")
    with _alone(), context.Manager() as shared, ProcessPoolExecutor(len(STANDS), mp_context=context) as pool:
        left = shared.Queue()
        for fault in (f for f in faults if not f.alone):
            left.put(fault.name)
        jobs = [pool.submit(at, place, left, steps) for place in STANDS[: left.qsize()]]
        rows += [row for job in jobs for row in job.result()]
        for fault in (f for f in faults if f.alone):
            left.put(fault.name)
        rows += at(STANDS[0], left, steps) if left.qsize() else []
    return rows


def _split(words: str) -> tuple[str, ...]:
    return tuple(filter(None, words.split(",")))


def kinds(words: Sequence[str], alone: str | None = None) -> list[Fault]:
    """The faults with one of *words* in their names, or all; without those that must be *alone*, or only those."""
    named = [f for f in FAULTS if not words or any(word in f.name for word in words)]
    return [f for f in named if alone is None or f.alone == (alone == "only")]


def keep(file: Path, rows: list[Row], missing: Sequence[str]) -> None:
    """Each row as a case, as the table of a night reads it; a kind that cannot be made here is one that was skipped."""
    told = [
        {
            "suite": "sweep", "test": f"{row.fault} at {row.step}", "seconds": row.seconds,
            "outcome": "passed" if row.lost == NOTHING else "failed",
            "repeat": f"make sweep FAULTS={shlex.quote(row.fault)}"
            + (f" STEPS={shlex.quote(row.step)}" if row.step != ENDING else ""),
        }
        for row in rows
    ]  # fmt: skip
    told += [{"suite": "sweep", "test": name, "seconds": 0.0, "outcome": "skipped"} for name in missing]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(told, indent=1))


@contextmanager
def _alone() -> Iterator[None]:
    """Two sweeps of one checkout would strike each other's stands: the second ends at once."""
    state().mkdir(parents=True, exist_ok=True)
    with (state() / "sweep.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("another sweep of this checkout is under way\nHINT: wait for its table; both use the same stands")
        yield


def _told(rows: list[Row]) -> int:
    """The table; 1 where something was lost or a run does not converge."""
    head = ("fault", "struck at step", "the run", "then", "lost", "took")
    table = [head, *map(cells, rows)]
    widths = [max(len(row[k]) for row in table) for k in range(len(head))]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    wrong = [row for row in rows if row.lost != NOTHING]
    print(f"{len(rows)} runs struck, {len(wrong)} with a loss")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
