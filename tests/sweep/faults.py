"""What strikes a run: each kind, how it is set off, and how the world is mended after it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from drillbook.act import install
from drillbook.observe.command import run_checked
from sweep.stand import Stand

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Fault:
    """A kind of fault. `cuts` is true where every run that it strikes must end there, whatever the step.

    `moments` are taken in turn, from step to step. `command` is what the hook runs; `mend` undoes it.
    """

    name: str
    moments: tuple[str, ...]
    command: Callable[[Stand], list[str]]
    mend: Callable[[Stand], None] = lambda stand: None
    cuts: bool = True
    alone: bool = False


def _script(stand: Stand, what: str) -> list[str]:
    told = (str(stand.site.directory), stand.site.project, stand.target.identity, str(stand.outputs))
    return [sys.executable, str(HERE / "strike.py"), what, *told]


def _mend_proxy(stand: Stand) -> None:
    """In place: another file of the same name would not be the one that the proxy's container mounts."""
    kept = run_checked(("git", "-C", str(stand.site.directory), "show", "HEAD:proxy/default.conf"), timeout=30).stdout
    (stand.site.directory / "proxy" / "default.conf").write_text(kept)


def _mend_build(stand: Stand) -> None:
    (stand.site.directory / ".env").write_text(stand.env)


def _mend_disk(stand: Stand) -> None:
    (stand.outputs / "filler").unlink(missing_ok=True)


def _saboteur(stand: Stand) -> int:
    """The process that a fault left at work, 0 where there is none."""
    told = stand.outputs / "saboteur"
    pid = int(told.read_text()) if told.exists() else 0
    told.unlink(missing_ok=True)
    return pid


def _mend_unhealthy(stand: Stand) -> None:
    """Whoever spoils new containers does so in this run alone."""
    if pid := _saboteur(stand):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _mend_engine(stand: Stand) -> None:
    """Where whoever stops the engine was ended before he started it again: one that still stops answers for a while."""
    if pid := _saboteur(stand):
        until = time.monotonic() + 60
        while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
            time.sleep(0.2)
        install.stop_engine(lambda line: None)
    install.ensure_engine(lambda line: None)
    stand.wait()


FAULTS = (
    Fault("kill -9 of the run", ("begun", "acted"), lambda stand: ["kill", "-9", "{runner}"]),
    Fault("SIGTERM", ("within",), lambda stand: ["kill", "-TERM", "{runner}"]),
    Fault("kill of the kernel", ("acted", "within"), lambda stand: ["kill", "-9", "{kernel}"]),
    Fault("the disk fills", ("begun",), lambda stand: _script(stand, "disk"), _mend_disk),
    Fault("failing build", ("begun",), lambda stand: _script(stand, "build"), _mend_build, cuts=False),
    Fault("green never healthy", ("begun",), lambda stand: _script(stand, "unhealthy"), _mend_unhealthy, cuts=False),
    Fault("proxy does not parse", ("begun",), lambda stand: _script(stand, "proxy"), _mend_proxy, cuts=False),
    Fault("engine restart", ("begun",), lambda stand: _script(stand, "engine"), _mend_engine, cuts=False, alone=True),
)


def strikes_here() -> tuple[Fault, ...]:
    """The faults that can be made on this machine: an engine that drillbook did not start is not restarted."""
    own = os.geteuid() == 0 and install.started_here()
    return tuple(fault for fault in FAULTS if own or fault.name != "engine restart")
