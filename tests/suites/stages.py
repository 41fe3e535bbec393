"""What a night runs, and what a commit's sample runs: stages one after the other, each told as it goes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]
REPORTS = HOUSE / "build" / "reports"
NOTHING_DRAWN = 5
"""pytest's exit code where no test is left to run."""


@dataclass(frozen=True)
class Stage:
    """One command. It writes its results, a case a row, where `results` says."""

    name: str
    argv: tuple[str, ...]
    may_be_empty: bool = False

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
    """All tests, or what *seed* draws of the long suites: side by side, then those that must be alone."""
    drawn, long = (("--draw", seed), "(matrix or proofs) and ") if seed else ((), "")
    sandboxes = ("--sandboxes", "1" if seed else "2")
    return [
        _pytest("tests", "-n", str(jobs), *sandboxes, *drawn, "-m", f"{long}not alone"),
        _pytest("alone", *drawn, "-m", f"{long}alone", may_be_empty=bool(seed)),
    ]


def _pytest(name: str, *words: str, may_be_empty: bool = False) -> Stage:
    reports = ("--results", str(REPORTS / f"{name}.json"), "--junitxml", str(REPORTS / f"{name}.xml"))
    return Stage(name, (sys.executable, "-m", "pytest", "tests", "-v", *reports, *words), may_be_empty)


def made(name: str, **variables: str) -> Stage:
    """A target of the Makefile."""
    words = tuple(f"{key}={value}" for key, value in variables.items() if value)
    return Stage(name, ("make", "--no-print-directory", name, *words))


def nightly(jobs: int) -> list[Stage]:
    """Everything."""
    reports = {name: str(REPORTS / f"{name}.json") for name in ("corpus", "sweep")}
    return [
        made("lint"),
        *tests(jobs),
        made("corpus", RESULTS=reports["corpus"]),
        made("sweep", RESULTS=reports["sweep"]),
    ]


def sample(jobs: int, seed: str) -> list[Stage]:
    """What the commit *seed* draws of every long suite."""
    reports = {name: str(REPORTS / f"{name}.json") for name in ("corpus", "sweep")}
    return [
        *tests(jobs, seed),
        made("corpus", RESULTS=reports["corpus"], DRAW=seed),
        made("sweep", RESULTS=reports["sweep"], DRAW=seed),
    ]


def carry_out(stages: Sequence[Stage]) -> list[Ended]:
    """Run each of *stages*, also after one that failed; what they print is shown, and kept in `build/reports`."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    ended = list[Ended]()
    for stage in stages:
        stage.results.unlink(missing_ok=True)
        began = time.monotonic()
        print(f"==> {stage.name}: {' '.join(stage.argv)}", flush=True)
        code = _followed(stage)
        ended.append(Ended(stage, code, time.monotonic() - began))
    return ended


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
