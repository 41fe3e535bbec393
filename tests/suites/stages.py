"""What a night runs, and what a commit's sample runs: stages one after the other, each told as it goes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]
REPORTS = HOUSE / "build" / "reports"
NO_ENGINE = "(unit or notebooks) and not docker"
NOWHERE = ("env", "DOCKER_HOST=unix:///nowhere/docker.sock")
"""Put before a command that asks no engine: one that does fails each time, not only while the engine restarts."""
NOTHING_DRAWN = 5
"""pytest's exit code where no test is left to run."""


@dataclass(frozen=True)
class Stage:
    """One command; its results, a case a row, are in `results`. `beside`: it begins with the one before."""

    name: str
    argv: tuple[str, ...]
    may_be_empty: bool = False
    beside: bool = False

    @property
    def results(self) -> Path:
        return REPORTS / f"{self.name}.json"


@dataclass(frozen=True)
class Ended:
    """How a stage ended."""

    stage: Stage
    code: int
    seconds: float

    @property
    def failed(self) -> bool:
        return self.code != 0 and not (self.stage.may_be_empty and self.code == NOTHING_DRAWN)


def tests(jobs: int, seed: str = "") -> list[Stage]:
    """The tests that may ask an engine, or what *seed* draws of the long suites; then those alone."""
    drawn, chosen = (("--draw", seed), "(matrix or proofs)") if seed else ((), f"not ({NO_ENGINE})")
    sandboxes = ("--sandboxes", "1" if seed else "2")
    return [
        _pytest("tests", "-n", str(jobs), *sandboxes, *drawn, "-m", f"not alone and {chosen}"),
        _pytest("alone", *drawn, "-m", f"alone and {chosen}", may_be_empty=bool(seed)),
    ]


def _pytest(name: str, *words: str, may_be_empty: bool = False) -> Stage:
    reports = ("--results", str(REPORTS / f"{name}.json"), "--junitxml", str(REPORTS / f"{name}.xml"))
    return Stage(name, (sys.executable, "-m", "pytest", "tests", "-v", *reports, *words), may_be_empty)


def made(name: str, target: str = "", beside: bool = False, **variables: str) -> Stage:
    """A target of the Makefile."""
    words = tuple(f"{key}={value}" for key, value in variables.items() if value)
    return Stage(name, ("make", "--no-print-directory", target or name, *words), beside=beside)


def nightly(jobs: int) -> list[Stage]:
    """Everything. The corpus is judged while the sweep waits; what asks no engine is tested while it restarts."""
    reports = {name: str(REPORTS / f"{name}.json") for name in ("corpus", "sweep", "restarts")}
    units = _pytest("no-engine", "-n", str(max(1, jobs - 1)), "-m", NO_ENGINE)
    return [
        made("lint"),
        *tests(jobs),
        made("corpus", RESULTS=reports["corpus"]),
        made("sweep", RESULTS=reports["sweep"], ALONE="no", beside=True),
        made("restarts", "sweep", RESULTS=reports["restarts"], ALONE="only"),
        replace(units, argv=(*NOWHERE, *units.argv), beside=True),
    ]


def sample(jobs: int, seed: str) -> list[Stage]:
    """What the commit *seed* draws of every long suite."""
    reports = {name: str(REPORTS / f"{name}.json") for name in ("corpus", "sweep")}
    return [
        *tests(jobs, seed),
        made("corpus", RESULTS=reports["corpus"], DRAW=seed),
        made("sweep", RESULTS=reports["sweep"], DRAW=seed),
    ]


def groups(stages: Iterable[Stage]) -> list[list[Stage]]:
    """The stages that run at the same time."""
    found = list[list[Stage]]()
    for stage in stages:
        if stage.beside:
            found[-1].append(stage)
        else:
            found.append([stage])
    return found


def carry_out(stages: Sequence[Stage]) -> list[Ended]:
    """Run *stages* in order, also after one that failed; what they print is shown, and kept in `build/reports`."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    ended = list[Ended]()
    for group in groups(stages):
        with ThreadPoolExecutor(len(group)) as pool:
            ended += pool.map(_carry_out, group)
    return ended


def _carry_out(stage: Stage) -> Ended:
    stage.results.unlink(missing_ok=True)
    began = time.monotonic()
    print(f"==> {stage.name}: {' '.join(stage.argv)}", flush=True)
    return Ended(stage, _followed(stage), time.monotonic() - began)


def _followed(stage: Stage) -> int:
    words = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    with (
        (REPORTS / f"{stage.name}.log").open("w") as log,
        subprocess.Popen(stage.argv, cwd=HOUSE, **words) as process,  # type: ignore[call-overload]
    ):
        for line in process.stdout:
            print(line, end="", flush=True)
            log.write(line)
    return int(process.returncode)
