"""Strike a real reset at every step of its plan with every kind of fault; print the table; 1 when anything was lost.

PYTHONPATH=lib:tests/unit:tests python -m sweep [KIND …]        KIND is a part of its name

Two stands side by side, and each takes the next kind when it is through with one.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]
os.environ.setdefault("DRILLBOOK_HOME", str(HOUSE))

from drillbook.act import images, install  # noqa: E402
from drillbook.act.site import state  # noqa: E402
from sweep.faults import FAULTS, strikes_here  # noqa: E402
from sweep.rows import Row, at, cells  # noqa: E402

STANDS = (("sweepa", 21080), ("sweepb", 22080))


def main(words: list[str]) -> int:
    install.ensure_engine()
    images.ensure_images()
    chosen = [f for f in strikes_here() if not words or any(word in f.name for word in words)]
    rows: list[Row] = []
    context = get_context("spawn")
    with _alone(), context.Manager() as shared, ProcessPoolExecutor(2, mp_context=context) as pool:
        left = shared.Queue()
        for fault in (f for f in chosen if not f.alone):
            left.put(fault.name)
        jobs = [pool.submit(at, place, left) for place in STANDS[: left.qsize()]]
        rows += [row for job in jobs for row in job.result()]
        for fault in (f for f in chosen if f.alone):
            left.put(fault.name)
        rows += at(STANDS[0], left) if left.qsize() else []
    for fault in {f.name for f in FAULTS} - {f.name for f in chosen}:
        print(f"not made here: {fault}")
    return _told(rows)


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
    wrong = [row for row in rows if row.lost != "nothing"]
    print(f"{len(rows)} runs struck, {len(wrong)} with a loss")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
