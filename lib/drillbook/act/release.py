"""How a release reaches the practice stack, a step at a time: sources and a commit, a build, new containers."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from drillbook.act.history import commit
from drillbook.act.images import tag
from drillbook.act.services import STATEFUL, compose, wait_healthy
from drillbook.act.site import Site, describe_build
from drillbook.errors import RunbookError
from drillbook.observe import engine
from drillbook.observe.command import environment, run_checked

APPS = ("app1", "app2")
DATABASE_MODULE = "lib/db.js"
RIGHT = '["organizations", "users", '
WRONG = '["organisations", "users", '  # as long as the right one: only its content tells them apart


def release(site: Site, changes: Mapping[str, str], message: str) -> None:
    """Deploy *changes*, path → text, as one commit, and name it to the next build in `.env`.

    Changes the working directory alone: nothing is built, nothing is restarted.
    """
    for name, text in changes.items():
        (site.directory / name).write_text(text)
    commit(site.directory, message, datetime.now(UTC).isoformat(timespec="seconds"))
    describe_build(site)


def build(site: Site, *services: str) -> None:
    """`docker compose build` of *services*, with every cache."""
    compose(site, "build", *services)


def recreate(site: Site, *services: str, force: bool = False) -> None:
    """`docker compose up -d` of *services*, until they are healthy; *force* where compose sees no reason.

    What they depend on is left as it is: where some of it is broken, compose is told to forget it.
    """
    unwell = {f.service for f in engine.containers(site.target) if not (f.running and f.health == "healthy")}
    alone = ("--no-deps",) if unwell & set(STATEFUL) else ()
    forced = ("--force-recreate",) if force else ()
    compose(site, "up", "-d", "--no-build", *alone, *forced, *services)
    wait_healthy(site.project, services, timeout=60)


def buggy(site: Site) -> dict[str, str]:
    """A release in which `db.organizations` is undefined; its version makes each such build a new one."""
    return {
        DATABASE_MODULE: read(site, DATABASE_MODULE).replace(RIGHT, WRONG),
        "package.json": _versioned(read(site, "package.json")),
    }


def mended(site: Site) -> dict[str, str]:
    """The release that mends `buggy`, as many bytes long."""
    return {DATABASE_MODULE: read(site, DATABASE_MODULE).replace(WRONG, RIGHT)}


def remarked(site: Site, name: str) -> dict[str, str]:
    """A release of *name* that differs from the one before by a remark, and does the same."""
    return {name: f"{read(site, name).rstrip()}\n// released {datetime.now(UTC).isoformat()}\n"}


def edited(site: Site, name: str, old: str, new: str) -> dict[str, str]:
    """The file *name* with *old* replaced by *new*; as it is where that was done before.

    Raises:
        RunbookError: it says neither.
    """
    text = read(site, name)
    if new in text:
        return {name: text}
    if old not in text:
        raise RunbookError(f"{name} of the sandbox {site.project} is not the practice site's", "drillbook sandbox up")
    return {name: text.replace(old, new, 1)}


def read(site: Site, name: str) -> str:
    """The deployed file *name*."""
    return (site.directory / name).read_text()


def build_on_the_host(site: Site) -> None:
    """Run the site's own bundler over the working directory, which leaves `.next` in it."""
    argv = (
        "docker", "run", "--rm", "--network", "none", "--user", f"{os.getuid()}:{os.getgid()}", "--workdir", "/app",
        "--volume", f"{site.directory}:/app", "--env", "BUILD_ID=from-the-host", f"drillbook-node:{tag()}",
        "node", "build.mjs",
    )  # fmt: skip
    run_checked(argv, timeout=120, env=environment(site.target))


def _versioned(package: str) -> str:
    return json.dumps({**json.loads(package), "version": f"1.0.{time.time_ns()}"}, indent=2) + "\n"
