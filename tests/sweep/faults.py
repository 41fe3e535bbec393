"""What strikes a run: each kind, how it is set off, and how the world is mended after it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import docker
from docker.errors import APIError

from drillbook.act import canary, install
from drillbook.observe.command import run_checked
from sweep.stand import Beside, Stand

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Fault:
    """A kind of fault. `cuts` is true where every run that it strikes must end there, whatever the step.

    `lasts`: from its step to the run's end all is as it made it. Each later step that the run began all the same met
    what a strike there would have made; so what such a kind does there is known.
    `moments` are taken in turn, from step to step. `command` is what the hook runs, and the run waits for it;
    `beside` is done by the sweep's own process from then on, until the run has ended; `mend` undoes both.
    """

    name: str
    moments: tuple[str, ...]
    command: Callable[[Stand], list[str]]
    mend: Callable[[Stand], None] = lambda stand: None
    beside: Beside | None = None
    cuts: bool = True
    lasts: bool = False
    alone: bool = False


def _script(stand: Stand, what: str) -> list[str]:
    return [sys.executable, str(HERE / "strike.py"), what, str(stand.site.directory), str(stand.outputs)]


def _mend_proxy(stand: Stand) -> None:
    """In place: another file of the same name would not be the one that the proxy's container mounts."""
    kept = run_checked(("git", "-C", str(stand.site.directory), "show", "HEAD:proxy/default.conf"), timeout=30).stdout
    (stand.site.directory / "proxy" / "default.conf").write_text(kept)


def _mend_build(stand: Stand) -> None:
    (stand.site.directory / ".env").write_text(stand.env)


def _mend_disk(stand: Stand) -> None:
    (stand.outputs / "filler").unlink(missing_ok=True)


def _spoil(stand: Stand, ended: Event) -> None:
    """Each new container of an app loses the program that its health check calls; an old one that starts again, not."""
    ours = {"com.docker.compose.project": stand.site.project, canary.LABEL: stand.target.identity}
    engine, began = docker.from_env(timeout=30), int(time.time())
    old = {c["Id"] for key in ours for c in engine.api.containers(all=True, filters={"label": f"{key}={ours[key]}"})}
    starts = engine.events(since=began, filters={"type": "container", "event": "start"}, decode=True)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: (ended.wait(), starts.close()))
        for start in starts:
            labels = start["Actor"]["Attributes"]
            if start["id"] not in old and any(labels.get(key) == ours[key] for key in ours):
                _lose_bash(engine, start["id"])
    assert ended.is_set(), "the engine's events broke off: what started later was not spoiled"


def _lose_bash(engine: Any, container: str) -> None:
    """Raises AssertionError where it is still in a container that runs."""
    try:
        code, said = engine.containers.get(container).exec_run(["rm", "-f", "/bin/bash", "/usr/bin/bash"])
    except APIError as error:
        code, said = 1, str(error)
    if code != 0:  # it may be gone again, or have stopped
        left = engine.containers.list(filters={"id": container}, ignore_removed=True)
        assert not left, f"{container[:12]} was not spoiled: {said}"


def _restart(stand: Stand, ended: Event) -> None:
    """The engine stops and starts again, whatever the run does meanwhile."""
    install.stop_engine(lambda line: None)
    install.ensure_engine(lambda line: None)


def _awhile(stand: Stand) -> list[str]:
    """What the hook runs where something is done beside the run: time for that to begin."""
    return ["sleep", "0.5"]


FAULTS = (
    Fault("green never healthy", ("begun",), _awhile, beside=_spoil, cuts=False, lasts=True),
    Fault(
        "proxy does not parse", ("begun",), lambda stand: _script(stand, "proxy"), _mend_proxy, cuts=False, lasts=True
    ),
    Fault("failing build", ("begun",), lambda stand: _script(stand, "build"), _mend_build, cuts=False, lasts=True),
    Fault("kill -9 of the run", ("begun", "acted"), lambda stand: ["kill", "-9", "{runner}"]),
    Fault("SIGTERM", ("within",), lambda stand: ["kill", "-TERM", "{runner}"]),
    Fault("kill of the kernel", ("acted", "within"), lambda stand: ["kill", "-9", "{kernel}"]),
    Fault("the disk fills", ("begun",), lambda stand: _script(stand, "disk"), _mend_disk),
    Fault("engine restart", ("begun",), _awhile, Stand.wait, _restart, cuts=False, alone=True),
)


def strikes_here() -> tuple[Fault, ...]:
    """The faults that can be made on this machine: an engine that drillbook did not start is not restarted."""
    own = os.geteuid() == 0 and install.started_here()
    return tuple(fault for fault in FAULTS if own or fault.name != "engine restart")
