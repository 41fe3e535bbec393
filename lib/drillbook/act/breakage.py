"""Breaks the practice stack on purpose, the way the incident broke the real one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from drillbook.act.images import tag
from drillbook.act.sandbox import answer, compose, remove_data, wait_healthy
from drillbook.act.site import Site
from drillbook.errors import BadParameters
from drillbook.observe.command import environment, run_checked

APPS = ("app1", "app2")
RIGHT = '["organizations", "users", '
WRONG = '["users", '
KEPT_AGE = timedelta(days=3)


def break_stack(how: str, project: str = "connect") -> dict[str, Any]:
    """Break the sandbox as *how* names it; what `/api/matches/generate` answers afterwards, and the seconds it took.

    Raises:
        BadParameters: there is no such breakage, or no such sandbox.
    """
    if how not in BREAKAGES:
        raise BadParameters(f"there is no breakage {how!r}", f"the breakages are: {', '.join(BREAKAGES)}")
    started = time.monotonic()
    site = Site(project)
    wait_healthy(project)
    BREAKAGES[how](site)
    return {"project": project, "how": how, **answer(site), "seconds": round(time.monotonic() - started, 1)}


def rebuild(project: str = "connect") -> dict[str, Any]:
    """What the incident's engineer tried again and again: `build --no-cache`, then `up -d`.

    Changes the images and containers of both replicas.
    """
    started = time.monotonic()
    site = Site(project)
    compose(site, "build", "--no-cache", *APPS)
    compose(site, "up", "-d", "--no-deps", *APPS)
    wait_healthy(project, APPS)
    return {"project": project, **answer(site), "seconds": round(time.monotonic() - started, 1)}


def _stale_artifact(site: Site) -> None:
    """Ship a buggy build from the host, then deploy the corrected sources with the times they had."""
    db = site.directory / "lib" / "db.js"
    right = db.read_text()
    db.write_text(right.replace(RIGHT, WRONG))
    _build_on_the_host(site)
    db.write_text(right)
    _keep_old_times(site)
    (site.directory / ".dockerignore").unlink(missing_ok=True)
    rebuild(site.project)


def _lost_schema(site: Site) -> None:
    """Lose what `docker compose down -v` lost: the three volumes, by name."""
    remove_data(site)
    compose(site, "up", "-d", "--no-build")
    compose(site, "restart", "--timeout", "5", *APPS, "scraper")
    wait_healthy(site.project)


BREAKAGES: dict[str, Callable[[Site], None]] = {"stale-artifact": _stale_artifact, "lost-schema": _lost_schema}


def _build_on_the_host(site: Site) -> None:
    """Run the site's own bundler over the working directory, which leaves `.next` in it."""
    argv = (
        "docker", "run", "--rm", "--network", "none", "--user", f"{os.getuid()}:{os.getgid()}", "--workdir", "/app",
        "--volume", f"{site.directory}:/app", "--env", "BUILD_ID=from-the-host", f"drillbook-node:{tag()}",
        "node", "build.mjs",
    )  # fmt: skip
    run_checked(argv, timeout=120, env=environment(site.target))


def _keep_old_times(site: Site) -> None:
    """What `rsync -a` does: every source keeps the time of its last edit, days before this deployment."""
    then = time.time() - KEPT_AGE.total_seconds()
    for path in _sources(site.directory):
        os.utime(path, (then, then))


def _sources(directory: Path) -> list[Path]:
    beside = {".git", ".next", ".env", "target.yaml"}
    return [p for p in directory.rglob("*") if p.is_file() and p.relative_to(directory).parts[0] not in beside]
