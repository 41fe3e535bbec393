"""The cache map: everything between source and response that can keep old code, and what clears it."""

from __future__ import annotations

from drillbook.decide.build_caches import build_caches
from drillbook.decide.cache import Cache
from drillbook.decide.host_caches import host_caches
from drillbook.decide.serving_caches import serving_caches
from drillbook.observe.facts import Snapshot

__all__ = ["Cache", "cache_map"]


def cache_map(snapshot: Snapshot, now: float) -> tuple[Cache, ...]:
    """Every cache in the order from source to response, the absent ones too; *now* in seconds since 1970.

    What could not be observed is `unknown`, never `no`. No command deletes what cannot be
    made again: no `prune --all`, no `system prune`, no volume.
    """
    return (*host_caches(snapshot, now), *build_caches(snapshot, now), *serving_caches(snapshot, now))
