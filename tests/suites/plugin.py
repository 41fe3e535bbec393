"""The pytest plugin of this house: suites, groups that share a worker, draws, and the results as one file.

`--draw SEED` runs a part of each long suite, chosen by SEED. `--results FILE` writes a JSON list, a test a row.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import scratch
from suites import groups, seconds
from suites.draw import PARTS, number

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
"""jsonschema's checks of URIs, which nbformat brings and nobody asks here: each worker loads them for a second."""
LONG = ("matrix", "proofs")
CPU = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("suites")
    group.addoption("--draw", metavar="SEED", default="", help=f"one of {PARTS} parts of each long suite")
    group.addoption("--sandboxes", type=int, default=1, help="how many workers may have a practice stack of their own")
    group.addoption("--results", metavar="FILE", default="", help="write how each test ended, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    memory = ExitStack()
    memory.enter_context(scratch.in_memory())  # a worker of pytest-xdist inherits it
    config.add_cleanup(memory.close)
    config.pluginmanager.register(Order())
    if config.getoption("--results") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Results(Path(config.getoption("--results"))))


def pytest_report_header(config: pytest.Config) -> list[str]:
    seed = config.getoption("--draw")
    return [f"drawn by {seed}: part {number(seed) + 1} of {PARTS} of each long suite"] if seed else []


def suite_of(item: pytest.Item) -> str:
    """The long suite that the test is marked with, or its folder below `tests/`."""
    return next((name for name in LONG if item.get_closest_marker(name)), item.path.relative_to(_tests()).parts[0])


def _tests() -> Path:
    return Path(__file__).resolve().parents[1]


def pytest_itemcollected(item: pytest.Item) -> None:
    item.user_properties.append(("suite", suite_of(item)))
    if (folder := item.path.relative_to(_tests()).parts[0]) in ("unit", "notebooks"):
        item.add_marker(folder)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests of one group share what their file sets up, and so a worker."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return groups.of(nodeid, config.getoption("--sandboxes"))

    config.option.loadscopereorder = False  # the order is ours: see Order
    return ByGroup(config, log)


class Order:
    """What is left to run after every choice by mark and name: drawn, and dealt out longest group first."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        if seed := config.getoption("--draw"):
            chosen = {id(item) for item in drawn(items, seed)}
            config.hook.pytest_deselected(items=[item for item in items if id(item) not in chosen])
            items[:] = [item for item in items if id(item) in chosen]
        if hasattr(config, "workerinput"):
            items[:] = groups.longest_first(items, config.getoption("--sandboxes"))


def drawn(items: list[pytest.Item], seed: str) -> list[pytest.Item]:
    """One part of each long suite, and nothing of any other."""
    found = list[pytest.Item]()
    for suite in LONG:
        tests = [item for item in items if suite_of(item) == suite]
        found += seconds.part(tests, lambda item: seconds.of(item.nodeid), number(seed), PARTS)
    return found


def pytest_collection_finish(session: pytest.Session) -> None:
    session.stash[CPU] = _cpu()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """Each test tells the CPU seconds of its process, and of the children that ended, since the test before it."""
    if call.when == "teardown":
        now, before = _cpu(), item.session.stash[CPU]
        item.session.stash[CPU] = now
        item.user_properties.append(("cpu", round(now - before, 2)))
    return (yield)


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


class Results:
    """How each test ended, written when the session ends; with pytest-xdist by the process that deals out."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.rows: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = dict(report.user_properties)
        suite = told.get("suite", report.nodeid.split("/")[1])  # of a worker that crashed nothing else is known
        new = {"test": report.nodeid, "suite": suite, "seconds": 0.0, "outcome": "passed"}
        row = self.rows.setdefault(report.nodeid, new)
        row["seconds"] = round(row["seconds"] + report.duration, 2)
        row["cpu"] = told.get("cpu", 0.0)
        if report.outcome != "passed":
            row["outcome"] = report.outcome if row["outcome"] != "failed" else "failed"

    def pytest_sessionfinish(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps(list(self.rows.values()), indent=1))
