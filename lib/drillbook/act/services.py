"""The services of the practice stack, driven by compose and asked whether they are well."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import httpx

from drillbook.act.belongings import BUILT
from drillbook.act.site import Site
from drillbook.errors import RunbookError
from drillbook.observe import engine
from drillbook.observe.command import Completed, environment, run_checked

STATEFUL = ("postgres", "redis-cache", "redis-queue")
SERVICES = (*BUILT, *STATEFUL, "proxy")


def compose(site: Site, *words: str, timeout: float = 900) -> Completed:
    """Run `docker compose` for the sandbox.

    Raises:
        CommandFailed: it failed.
    """
    return run_checked(site.compose(*words), timeout=timeout, env=environment(site.target))


def psql(site: Site) -> tuple[str, ...]:
    """The argv of psql in the sandbox's server."""
    return site.compose("exec", "-T", "postgres", "psql", "-X", "-U", "connect", "-d", "connect")


def redis_cli(site: Site, service: str) -> tuple[str, ...]:
    """The argv of redis-cli in *service*."""
    return site.compose("exec", "-T", service, "redis-cli")


def wait_healthy(project: str = "connect", services: Iterable[str] = SERVICES, timeout: float = 180) -> float:
    """Wait until every one of *services* runs and is healthy; how long that took, in seconds.

    Raises:
        RunbookError: some are not after *timeout* seconds; it names them.
    """
    site, started = Site(project), time.monotonic()
    wanted = set(services)
    while True:
        ready = engine.healthy(site.target)
        if wanted <= ready:
            return round(time.monotonic() - started, 1)
        if time.monotonic() - started > timeout:
            raise RunbookError(
                f"not healthy after {timeout:g} s: {', '.join(sorted(wanted - ready))}",
                f"look at: docker compose -p {project} --project-directory {site.directory} logs",
            )
        time.sleep(0.3)


def answer(site: Site) -> dict[str, Any]:
    """What `/api/matches/generate` answers through the proxy. Changes nothing."""
    try:
        response = httpx.get(site.target.endpoints["matches"].url, timeout=20)
    except httpx.HTTPError as error:
        return {"status": 0, "error": f"{type(error).__name__}: {error}"}
    is_json = response.headers.get("content-type") == "application/json"
    told = response.json().get("error", "") if is_json else response.text
    return {"status": response.status_code, "error": told}
