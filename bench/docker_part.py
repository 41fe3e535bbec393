"""What `bench/run.py` measures on a stack of containers: ours and the bare tool, in pairs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from rounds import COUNT, carry_out, drill_newest, newest

from drillbook.act.client_tools import ClientTools, client_tools
from drillbook.act.dump import compression
from drillbook.act.site import Site
from drillbook.decide.backup import plan_backup
from drillbook.decide.plan import Plan
from drillbook.observe import engine
from drillbook.observe.command import run_checked
from drillbook.observe.data import data_facts
from drillbook.observe.snapshot import observe
from drillbook.target import Target

NAME = "drillbook-bench-restore"
Pair = tuple[str, Callable[[], object], Callable[[], object], str]


class Stack:
    """The sandbox *project*; backups and runs go into *folder*."""

    def __init__(self, project: str, folder: Path) -> None:
        self.folder = folder
        self.site = Site(project)
        self.target = _with_vault(self.site.target, folder / "vault")
        self.app = engine.container_of(self.target, "app1")
        self.server = engine.container_of(self.target, "postgres")
        self.major = data_facts(self.target).servers["main"].major
        with self._tools() as tools:
            self.method = compression(tools, "connect", self.major)

    @property
    def diagnose(self) -> tuple[str, ...]:
        """The argv of an unattended diagnosis."""
        return (sys.executable, "-m", "drillbook.cli", "run", "diagnose", "--target", str(self.site.target_file))

    def pairs(self) -> Iterator[Pair]:
        """What is measured: its name, ours, the bare one, and the bare command."""
        export = f"docker export {self.app.name} | sha256sum"
        yield "observe, all of the stack", lambda: observe(self.target), lambda: _shell(export), export
        words = f"docker run … pg_dump -Fd -j 2 -Z {self.method}"
        yield "backup: dump, digest, manifest", self.back_up, self.bare_dump, words
        yield "drill: restore, compare, proof", self.drill, self.bare_restore, "docker run …; pg_restore -j 2; count(*)"

    def back_up(self) -> None:
        """The database's backup; the volumes, which pg_dump does not know, are left out."""
        plan = plan_backup(self.target.name, self.target.identity, data_facts(self.target))
        steps = tuple(step for step in plan.steps if step.verb != "backup.volume")
        whole = Plan(plan.runbook, plan.target, plan.identity, plan.basis, steps)
        carry_out(self.target, whole, self.folder)

    def bare_dump(self) -> None:
        """What one would type."""
        with self._tools() as tools:
            words = ("-d", "connect", "-Fd", "-j", "2", "-Z", self.method, "-f", tools.path("bare"))
            tools.run("pg_dump", *words, timeout=600)
        shutil.rmtree(self.folder / "bare")

    def drill(self) -> None:
        """The newest backup, proven."""
        drill_newest(self.target, self.folder)

    def bare_restore(self) -> None:
        """The same archive in a server of the same image as it comes, and every table counted."""
        archive = newest(self.target).folder
        argv = (
            "docker", "run", "-d", "--name", NAME, "--network", "none", "-v", f"{archive}:/backup:ro",
            "-e", "POSTGRES_USER=connect", "-e", "POSTGRES_DB=connect", "-e", "POSTGRES_HOST_AUTH_METHOD=trust",
            self.server.image_id,
        )  # fmt: skip
        run_checked(argv, timeout=120)
        client = ("docker", "exec", "-i", NAME)
        where = ("-h", "127.0.0.1", "-U", "connect", "-d", "connect")
        try:
            _wait((*client, "pg_isready", "-q", *where))
            restore = ("pg_restore", *where, "-O", "-x", "-j", "2", "/backup/databases/main")
            run_checked((*client, *restore), timeout=600)
            run_checked((*client, "psql", "-X", "-q", *where, "-f", "-"), timeout=600, stdin=COUNT)
        finally:
            run_checked(("docker", "rm", "-f", "-v", NAME), timeout=60)

    def _tools(self) -> AbstractContextManager[ClientTools]:
        return client_tools(self.target, "main", self.folder, "bench", self.major)


def _with_vault(target: Target, vault: Path) -> Target:
    moved = target.model_copy(update={"backup": target.backup.model_copy(update={"vault": str(vault)})})
    moved._file = target.file
    return moved


def _shell(line: str) -> None:
    argv = ["bash", "-o", "pipefail", "-c", line]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, timeout=600, env=os.environ)


def _wait(argv: tuple[str, ...]) -> None:
    """Until the server answers by TCP, which an image's first, passing start does not."""
    deadline = time.monotonic() + 120
    while subprocess.run(argv, check=False, capture_output=True, timeout=30).returncode:
        if time.monotonic() > deadline:
            raise TimeoutError("the bare server did not come up")
        time.sleep(0.2)
