"""The table at the end: suite, cases, seconds, what failed and how to repeat it; and what took longest."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from suites.stages import Ended, groups

Row = dict[str, Any]
SLOWEST = 20


def rows_of(ended: Ended) -> list[Row]:
    """One row a case. A stage that kept no results is one case, and so is a failure that none of its cases tells."""
    file, name = ended.stage.results, ended.stage.name
    rows: list[Row] = json.loads(file.read_text()) if file.is_file() else []
    told = any(row["outcome"] == "failed" for row in rows)
    if not rows or (ended.failed and not told):
        outcome = "failed" if ended.failed else "passed"
        words = shlex.join(ended.stage.argv)
        rows.append({"suite": name, "test": name, "seconds": ended.seconds, "outcome": outcome, "repeat": words})
    return rows


def text(stages: Sequence[Ended], seed: str = "") -> str:
    """The whole page, as it is printed."""
    rows = [row for ended in stages for row in rows_of(ended)]
    suites = list(dict.fromkeys(row["suite"] for row in rows))
    lines = [("suite", "cases", "skipped", "failed", "seconds")]
    for suite in suites:
        of = [row for row in rows if row["suite"] == suite]
        lines.append((suite, str(len(of)), _count(of, "skipped"), _count(of, "failed"), _seconds(of)))
    walls = [("stage", "minutes"), *((e.stage.name, f"{e.seconds / 60:.1f}") for e in stages)]
    walls.append(("whole", f"{_wall(stages) / 60:.1f}"))
    parts = [_aligned(lines), _aligned(walls), _slowest(rows), *_failures(rows)]
    if seed:
        parts.append(f"drawn by {seed}; the same sample again: make sample SEED={seed}")
    failed = sum(row["outcome"] == "failed" for row in rows)
    skipped = sum(row["outcome"] == "skipped" for row in rows)
    parts.append(f"{len(rows) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return "\n\n".join(parts)


def _wall(stages: Sequence[Ended]) -> float:
    """Seconds from the first to the last: of stages that ran beside each other the longest counts."""
    took = {ended.stage: ended.seconds for ended in stages}
    return sum(max(took[stage] for stage in group) for group in groups(took))


def _count(rows: Iterable[Row], outcome: str) -> str:
    return str(sum(row["outcome"] == outcome for row in rows))


def _seconds(rows: Iterable[Row]) -> str:
    return f"{sum(row['seconds'] for row in rows):.0f}"


def _slowest(rows: Sequence[Row]) -> str:
    longest = sorted(rows, key=lambda row: -row["seconds"])[:SLOWEST]
    return f"the slowest {len(longest)}\n" + "\n".join(f"{row['seconds']:7.1f} s  {row['test']}" for row in longest)


def _failures(rows: Sequence[Row]) -> list[str]:
    """Each case that failed, with the command that makes it alone again."""
    failed = [row for row in rows if row["outcome"] == "failed"]
    repeats = [row.get("repeat") or f".venv/bin/pytest {shlex.quote(row['test'])}" for row in failed]
    told = [f"FAILED {row['test']}\n       {repeat}" for row, repeat in zip(failed, repeats, strict=True)]
    return ["what failed, and how to repeat it\n" + "\n".join(told)] if told else []


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    cells = [
        [cell.rjust(w) if k else cell.ljust(w) for k, (cell, w) in enumerate(zip(line, widths, strict=True))]
        for line in lines
    ]
    return "\n".join("  ".join(line).rstrip() for line in cells)
