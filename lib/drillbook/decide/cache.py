"""A cache between source and response, as one row of the map; and how a command for this target begins."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from drillbook.observe.facts import Snapshot

Present = Literal["yes", "no", "unknown"]


@dataclass(frozen=True)
class Cache:
    """Something that can keep old code between source and response.

    `clears` is the command to copy, empty where there is nothing to clear; `no_cache` is whether
    `docker compose build --no-cache` gets past it. `age_seconds` is that of the oldest part.
    """

    id: str
    what: str
    where: str
    present: Present
    bytes: int | None = None
    age_seconds: float | None = None
    clears: str = ""
    no_cache: bool = False
    note: str = ""


def compose(snapshot: Snapshot, *words: str) -> str:
    """`docker compose` for exactly this target, then *words*, as a shell takes it."""
    start = snapshot.caches.compose if snapshot.caches and snapshot.caches.compose else ("docker", "compose")
    return shlex.join((*start, *words))


def engine(snapshot: Snapshot, *words: str) -> str:
    """`docker` for this target's engine, then *words*, as a shell takes it."""
    return shlex.join((*(snapshot.caches.engine if snapshot.caches else ("docker",)), *words))


def built(snapshot: Snapshot) -> tuple[str, ...]:
    """The services that the compose file builds."""
    return tuple(service.name for service in snapshot.services if service.context)


def rebuild(snapshot: Snapshot, option: str, services: Iterable[str]) -> str:
    """The command that builds *services* with *option*; `up` must follow before anything runs it."""
    return compose(snapshot, "build", option, *services)


def replace(snapshot: Snapshot, services: Iterable[str]) -> str:
    """The command that puts new containers in place of those of *services*, and of no other."""
    return compose(snapshot, "up", "-d", "--no-build", "--no-deps", "--force-recreate", *services)


def ages(now: float, times: Iterable[float]) -> float | None:
    """Seconds since the earliest of *times*; None where none is known."""
    known = [moment for moment in times if moment > 0]
    return max(0.0, now - min(known)) if known else None


def spoken(names: Iterable[str]) -> str:
    """Names for a sentence, each once."""
    return ", ".join(dict.fromkeys(names))
