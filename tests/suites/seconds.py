"""How long each test took when all of them ran last, from `seconds.json` beside this file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

FILE = Path(__file__).with_name("seconds.json")
HOUSE = FILE.parents[2]
UNKNOWN, SHORTEST = 2.0, 0.1
"""Seconds of a test whose file is not known yet; and of the shortest that is kept."""
T = TypeVar("T")


@cache
def known() -> dict[str, float]:
    """test → seconds, with its setup and teardown; tests under 0.1 s are not kept."""
    return dict(json.loads(FILE.read_text())) if FILE.is_file() else {}


def of(test: str) -> float:
    """The seconds of *test*; 0.05 where it was too short to be kept, and a guess where its file is unknown."""
    if test in known():
        return known()[test]
    return 0.05 if _file_of(test) in _files() else UNKNOWN


def remember(reports: Iterable[Path]) -> int:
    """Keep the seconds that these results of a whole night tell; how many are kept.

    Of a file that is in them, what they do not tell is forgotten; and so is a file that is gone.
    """
    rows = [row for report in reports for row in json.loads(report.read_text())]
    told = {row["test"]: round(row["seconds"], 1) for row in rows if row["outcome"] != "skipped"}
    seen = {_file_of(test) for test in told}
    before = {test: took for test, took in known().items() if _file_of(test) not in seen}
    here = {test: took for test, took in (before | told).items() if (HOUSE / _file_of(test)).is_file()}
    kept = {test: took for test, took in sorted(here.items()) if took >= SHORTEST}
    FILE.write_text(json.dumps(kept, indent=0, ensure_ascii=False) + "\n")
    return len(kept)


def of_file(file: str) -> float:
    """The seconds of all tests of *file* that are known."""
    return sum(took for test, took in known().items() if test.startswith(f"{file}::"))


@cache
def _files() -> frozenset[str]:
    return frozenset(map(_file_of, known()))


def _file_of(test: str) -> str:
    return test.partition("::")[0]


def part(items: Sequence[T], seconds: Callable[[T], float], number: int, parts: int) -> list[T]:
    """Part *number* (from 0) of *items*, cut in their order into *parts* of nearly equal seconds; never empty.

    Every item is in a part; where a part has none that lies in it, it has its nearest one.
    """
    whole = sum(map(seconds, items))
    middles, before = list[float](), 0.0
    for item in items:
        middles.append((before + seconds(item) / 2) / whole * parts)
        before += seconds(item)
    found = [item for item, middle in zip(items, middles, strict=True) if int(middle) == number]
    if found or not items:
        return found
    return [min(zip(items, middles, strict=True), key=lambda pair: abs(pair[1] - number - 0.5))[0]]
