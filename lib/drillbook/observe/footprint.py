"""What a second copy of a target's stack would take on its engine: memory and disk, and how much of both is free."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drillbook.observe import engine
from drillbook.observe.facts import ContainerFact
from drillbook.target import Target

MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True)
class Footprint:
    """Memory that the target's containers use now, and what this machine has left; in bytes, None where not known."""

    memory: int | None
    memory_free: int | None


def footprint(target: Target, containers: Sequence[ContainerFact]) -> Footprint:
    """The memory of the target's containers, and of this machine. Changes nothing.

    Raises:
        RunbookError: the engine could not tell.
    """
    api = engine.client(target).api
    running = [c.id for c in containers if c.running]
    with engine.answering("how much memory the containers use"), ThreadPoolExecutor() as pool:
        used = list(pool.map(lambda key: _used(api, key), running))
    known = [size for size in used if size is not None]
    return Footprint(sum(known) if len(known) == len(used) else None, _free())


def _used(api: Any, container: str) -> int | None:
    """What the container's processes hold; the page cache that goes when it is needed does not count."""
    told = api.stats(container, stream=False, one_shot=True).get("memory_stats") or {}
    detail = told.get("stats") or {}
    cache = detail.get("inactive_file", detail.get("total_inactive_file", 0))
    return int(told["usage"]) - int(cache) if "usage" in told else None


def _free() -> int | None:
    try:
        lines = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
