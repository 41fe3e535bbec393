"""The stand of the sweep: a sandbox with a proven backup, strangers beside it, and what must never change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import docker
import httpx
import yaml

import checkout
from drillbook.act import sandbox
from drillbook.act.history import commit
from drillbook.act.site import Site, describe_build
from drillbook.observe.command import run_checked
from drillbook.run.demo import held
from drillbook.run.record import settle
from drillbook.target import Target, load_target
from sweep.strangers import clear_strangers, strangers

HOUSE = Path(__file__).resolve().parents[2]
HOOK = Path(__file__).resolve().parent / "hook"
DISK_MEGABYTES = 96
STRUCK = "struck"
"""The file that the hook leaves in a run's folder when it strikes."""
UNTOUCHED = ("proxy", "postgres", "redis-cache", "redis-queue")


@dataclass
class Stand:
    """One sandbox under the sweep. `outputs` is a small disk of its own, so that it can be filled."""

    site: Site
    outputs: Path
    file: Path
    env: str = ""
    before: Mapping[str, Any] = field(default_factory=dict)

    @property
    def target(self) -> Target:
        return load_target(str(self.file))

    def run(
        self, *words: str, step: str = "", moment: str = "begun", command: list[str] | None = None,
        beside: Beside | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """`drillbook run …` as a user types it, with a fault at *step*; its record as it is after it has ended.

        From the strike on *beside* is done, until the run has ended. `crude` is what no user should have seen of it.
        """
        armed = {"SWEEP_STEP": step, "SWEEP_MOMENT": moment, "SWEEP_COMMAND": json.dumps(command or [])} if step else {}
        path = os.pathsep.join([str(HOOK), str(HOUSE / "lib")])
        env = {**os.environ, **armed, "DRILLBOOK_OUTPUTS": str(self.outputs), "PYTHONPATH": path}
        argv = [sys.executable, "-m", "drillbook.cli", "run", words[0], "--target", str(self.file), *words[1:]]
        known = set(self.folders())
        with self._beside(beside, known):
            done = subprocess.run(argv, capture_output=True, text=True, timeout=400, check=False, env=env)
        new = sorted(set(self.folders()) - known)
        assert len(new) == 1, f"{argv}: {new}: {done.stderr[-800:]}"
        self._ended(new[0])
        crude = [line for line in (done.stdout + done.stderr).splitlines() if "Traceback" in line]
        return {**settle(new[0]).data, "code": done.returncode, "folder": str(new[0]), "crude": crude}

    @contextmanager
    def _beside(self, what: Beside | None, known: set[Path]) -> Iterator[None]:
        """Do *what* as soon as a run is struck that is not *known*; it has come to its end when this does."""
        ended = Event()

        def wait() -> None:
            assert what
            while not any((folder / STRUCK).exists() for folder in set(self.folders()) - known):
                if ended.wait(0.05):
                    return
            what(self, ended)

        with ThreadPoolExecutor(1) as pool:
            job = pool.submit(wait) if what else None
            try:
                yield
            finally:
                ended.set()
        if job:
            job.result()

    def folders(self) -> list[Path]:
        return [file.parent for file in self.outputs.glob(f"{self.site.project}/*/run.json")]

    def _ended(self, folder: Path) -> None:
        """Wait until nothing of a run that was killed is left: its kernel notices that its parent is gone."""
        until, mark = time.monotonic() + 60, f"DRILLBOOK_RUN_DIR={folder}".encode()
        while time.monotonic() < until:
            alive = [p for p in Path("/proc").glob("[0-9]*/environ") if mark in _read(p)]
            if not alive:
                return
            time.sleep(0.1)
        raise AssertionError(f"processes of {folder.name} live on")

    def wait(self, seconds: float = 90) -> None:
        """Until every endpoint answers as it must.

        Raises:
            AssertionError: one does not.
        """
        until, said = time.monotonic() + seconds, "?"
        for endpoint in self.target.endpoints.values():
            while True:
                try:
                    answer = httpx.get(endpoint.url, timeout=5)
                except httpx.HTTPError as error:
                    said = repr(error)
                else:
                    if answer.status_code == endpoint.status:
                        break
                    said = f"{answer.status_code} {answer.text[:200]}"
                assert time.monotonic() < until, f"{endpoint.url}: {said}"
                time.sleep(0.2)

    def world(self) -> dict[str, Any]:
        """All that no fault may cost: rows, jobs, volumes, and everything that is somebody else's."""
        engine, project = docker.from_env(), self.site.project
        theirs = {"label": f"sweep.stranger={project}"}
        strangers = engine.containers.list(all=True, filters=theirs, ignore_removed=True)
        return {
            "content": held(self.target),
            "volumes": sorted(v.name for v in engine.volumes.list() if _ours(v.name, project)),
            "strangers": sorted((c.id, c.attrs["Image"]) for c in strangers),
            "kept": sorted(
                c.exec_run(["cat", "/data/kept"]).output.decode() for c in strangers if c.status == "running"
            ),
            "images": sorted(t for row in engine.api.images(f"stranger-{project}") for t in row["RepoTags"]),
        }

    def lost(self) -> list[str]:
        """What of the world is not as it was."""
        now = self.world()
        return [f"{key}: {now[key]} was {self.before[key]}" for key in self.before if now[key] != self.before[key]]


def _ours(name: str, project: str) -> bool:
    return name.startswith((f"{project}_", f"stranger-{project}", f"dangling-{project}"))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


Beside = Callable[[Stand, Event], None]


@contextmanager
def stand(name: str, port: int, folder: Path) -> Iterator[Stand]:
    """A stand with a proven backup and strangers; everything of it is gone at the end."""
    project = checkout.project(name)
    site = Site(project)
    _clear(project)
    sandbox.up(project, checkout.port(port))
    outputs = folder / f"{project}-outputs"
    outputs.mkdir(mode=0o700)
    run_checked(("mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m,mode=0700", project, str(outputs)), timeout=30)
    try:
        _quick(site)
        made = Stand(site, outputs, _described(site, folder))
        with strangers(project, folder):
            sandbox.compose(site, "build")
            sandbox.compose(site, "up", "-d", "--no-build")
            sandbox.wait_healthy(project)
            made.env = (site.directory / ".env").read_text()
            for runbook in ("backup", "drill"):
                assert made.run(runbook)["code"] == 0
            made.before = made.world()
            yield made
    finally:
        run_checked(("umount", "-l", str(outputs)), timeout=30)
        sandbox.down(project)


def _clear(project: str) -> None:
    """Take away what a sweep of this checkout left that was killed: its disk and its strangers."""
    for line in Path("/proc/mounts").read_text().splitlines():
        source, place = line.split()[:2]
        if source == project:
            run_checked(("umount", "-l", place), timeout=30)
    clear_strangers(project)


def _quick(site: Site) -> None:
    """Health checks that tell after two seconds, and a base image whose tag a fault can change.

    What a reset leaves alone is looked at less often, and no system call is filtered: each look is a process,
    and a third of what it costs is the filter, which is compiled for each (measured: 58 ms of CPU, and 38 without).
    """
    file = site.directory / "compose.yaml"
    base = ("drillbook-node:${DRILLBOOK_TAG:?}", "drillbook-node:${BASE_TAG:-${DRILLBOOK_TAG:?}}")
    stack = yaml.safe_load(file.read_text().replace(*base))
    for name, service in stack["services"].items():
        service["security_opt"] = ["seccomp=unconfined"]
        service["healthcheck"]["start_period"] = "2s"
        if name in UNTOUCHED:
            service["healthcheck"]["interval"] = "5s"
        else:
            service["healthcheck"]["retries"] = 2
    file.write_text(yaml.safe_dump(stack, sort_keys=False))
    commit(site.directory, "quick health checks", "2025-10-13T00:00:00+00:00")
    describe_build(site)


def _described(site: Site, folder: Path) -> Path:
    raw = yaml.safe_load(site.target_file.read_text())
    raw["stack"]["directory"] = str(site.directory)
    raw["databases"]["main"]["password"] = f"file:{site.password_file}"
    raw["backup"] = {"vault": str(folder / "vault")}
    raw["drill"] = {}
    file = folder / f"{site.project}.yaml"
    file.write_text(yaml.safe_dump(raw))
    return file
