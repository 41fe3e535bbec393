"""The practice stack's data, brought to the seed where it is anything else."""

from __future__ import annotations

from typing import Any

from drillbook.act import belongings, practice
from drillbook.act.belongings import VOLUMES
from drillbook.act.services import STATEFUL, compose, psql, redis_cli, wait_healthy
from drillbook.act.site import Site, remember, remembered
from drillbook.errors import RunbookError
from drillbook.observe import engine
from drillbook.observe.command import run_checked


def reset_data(site: Site, rows: int) -> bool:
    """Bring database and redis to the seed, on new volumes unless those there can be told from them by nothing.

    False when they held the seed already.
    """
    if len(belongings.volumes(site.target)) == len(VOLUMES):
        if _as_seeded(site, rows):
            return False
        if _reloaded(site, rows):
            return True
    remove_data(site)
    _start(site)
    _load(site, rows)
    remember(site, data=_data(site, rows))
    return True


def remove_data(site: Site) -> list[str]:
    """Remove the stateful services' containers and exactly the three named volumes; their names."""
    compose(site, "rm", "--stop", "--force", *STATEFUL)
    api = engine.client(site.target).api
    return [name for name in belongings.volumes(site.target) if not api.remove_volume(name)]


def _as_seeded(site: Site, rows: int) -> bool:
    try:
        _start(site)
        return bool(remembered(site).get("data") == _data(site, rows))
    except RunbookError:
        return False  # what cannot even be read is made anew


def _reloaded(site: Site, rows: int) -> bool:
    """Whether the seed, loaded into the servers that are there, gives what new volumes would hold."""
    anew = ("-q", "-v", "ON_ERROR_STOP=1", "-c", "drop database connect with (force)", "-c", "create database connect")
    try:
        run_checked((*psql(site), "-d", "postgres", *anew), timeout=60)
        for service in ("redis-queue", "redis-cache"):
            run_checked((*redis_cli(site, service), "FLUSHALL"), timeout=60)
        _load(site, rows)
        return bool(remembered(site).get("data") == _data(site, rows))
    except RunbookError:
        return False


def _load(site: Site, rows: int) -> None:
    practice.load(psql(site), rows)
    practice.fill(redis_cli(site, "redis-queue"), "queue")
    practice.fill(redis_cli(site, "redis-cache"), "cache")


def _data(site: Site, rows: int) -> list[Any]:
    return [rows, practice.content(psql(site)), practice.queue(redis_cli(site, "redis-queue"))]


def _start(site: Site) -> None:
    compose(site, "up", "-d", "--no-build", *STATEFUL)
    wait_healthy(site.project, STATEFUL)
