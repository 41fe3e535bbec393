"""Tests that share a worker: those of a file, of the practice stack, of a JupyterLab; the longest are dealt out first.

A practice stack stands for as long as its tests run, and its health checks cost a quarter of a core.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Protocol, TypeVar

from suites import seconds

TESTS = Path(__file__).resolve().parents[1]
BROWSER, SANDBOX = "tests/browser/", "tests/drills/sandbox/"


class Test(Protocol):
    """Whatever has an id that begins with its file."""

    @property
    def nodeid(self) -> str: ...


T = TypeVar("T", bound=Test)


def of(test: str, sandboxes: int) -> str:
    """The group of *test* by its id, with so many practice stacks."""
    file = test.partition("::")[0]
    if file.startswith(SANDBOX):
        return f"{SANDBOX} {_stacks(sandboxes).get(file, 0)}"
    return BROWSER if file.startswith(BROWSER) else file


@cache
def _stacks(number: int) -> dict[str, int]:
    """file → the practice stack that it is tested on, so that each has about as much to do."""
    spent, found = [0.0] * number, dict[str, int]()
    for file in sorted(_files(), key=lambda name: (-seconds.of_file(name), name)):
        found[file] = spent.index(min(spent))
        spent[found[file]] += seconds.of_file(file)
    return found


def _files() -> list[str]:
    return [path.relative_to(TESTS.parent).as_posix() for path in (TESTS.parent / SANDBOX).glob("test_*.py")]


def longest_first(items: Sequence[T], sandboxes: int) -> list[T]:
    """*items* group by group, those that take longest first: what is left over at the end is short."""
    groups = defaultdict[str, list[T]](list)
    for item in items:
        groups[of(item.nodeid, sandboxes)].append(item)
    total = {name: sum(seconds.of(item.nodeid) for item in group) for name, group in groups.items()}
    return [item for name in sorted(groups, key=lambda name: -total[name]) for item in groups[name]]
