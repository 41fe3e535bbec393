"""Breaks the practice stack on purpose: every cause that a diagnosis can name, made for real.

Each breakage makes its own cause true and no other, on a stack that may be broken in another way already;
`drillbook sandbox up` heals them all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from drillbook.act import break_around as around
from drillbook.act import break_build, break_code, break_data
from drillbook.act.release import APPS, recreate
from drillbook.act.services import answer, compose
from drillbook.act.site import Site
from drillbook.errors import BadParameters
from drillbook.observe import engine
from drillbook.suggest import nearest

SETTLING_SECONDS = 30

BREAKAGES: dict[str, Callable[[Site], None]] = {
    "stale-artifact": break_build.stale_artifact,
    "lost-schema": break_data.lost_schema,
    "stale-container": break_code.stale_container,
    "stale-layer": break_build.stale_layer,
    "stale-context": break_build.stale_context,
    "stale-cache-mount": break_build.stale_cache_mount,
    "stale-base": break_build.stale_base,
    "masked-by-mount": break_code.masked_by_mount,
    "edited-in-place": break_code.edited_in_place,
    "process-older-than-code": break_code.process_older_than_code,
    "stale-proxy": around.stale_proxy,
    "config-drift": around.config_drift,
    "schema-missing": break_data.schema_missing,
    "schema-drift": break_data.schema_drift,
    "database-down": break_data.database_down,
    "database-empty": break_data.database_empty,
    "dependency-unhealthy": around.dependency_unhealthy,
    "disk-full": around.disk_full,
}


def break_stack(how: str, project: str = "connect") -> dict[str, Any]:
    """Break the sandbox as *how* names it; what `/api/matches/generate` answers afterwards, and the seconds it took.

    Raises:
        BadParameters: there is no such breakage, or no such sandbox.
        RunbookError: the stack cannot be broken so, as it is.
    """
    if how not in BREAKAGES:
        hint = f"{nearest(how, BREAKAGES)}the breakages are: {', '.join(BREAKAGES)}"
        raise BadParameters(f"there is no breakage {how!r}", hint)
    started = time.monotonic()
    site = Site(project)
    _settle(site)
    BREAKAGES[how](site)
    return {"project": project, "how": how, **answer(site), "seconds": round(time.monotonic() - started, 1)}


def rebuild(project: str = "connect") -> dict[str, Any]:
    """What the incident's engineer tried again and again: `build --no-cache`, then `up -d`.

    Changes the images and containers of both replicas.
    """
    started = time.monotonic()
    site = Site(project)
    compose(site, "build", "--no-cache", *APPS)
    recreate(site, *APPS)
    return {"project": project, **answer(site), "seconds": round(time.monotonic() - started, 1)}


def described() -> dict[str, str]:
    """Each breakage with the one line that says what it does."""
    return {name: (make.__doc__ or "").strip().splitlines()[0] for name, make in BREAKAGES.items()}


def _settle(site: Site) -> None:
    """Wait until no container is about to start; what is broken already is not waited for."""
    deadline = time.monotonic() + SETTLING_SECONDS
    while time.monotonic() < deadline and any(
        f.running and f.health == "starting" for f in engine.containers(site.target)
    ):
        time.sleep(0.2)
