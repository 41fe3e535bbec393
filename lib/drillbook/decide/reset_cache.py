"""Records of the engine's build cache that a reset clears, each by its id, and whose else they may be."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from drillbook.decide.build_caches import EVERYONES
from drillbook.decide.cache_mounts import mounts
from drillbook.decide.diagnose import diagnose
from drillbook.decide.plan import Object, Step
from drillbook.errors import RunbookError
from drillbook.observe.facts import Snapshot
from drillbook.observe.facts_signs import BuildRecord

TYPES = {"stale-context": "source.local", "stale-cache-mount": "exec.cachemount"}
"""cause → the type of record that it comes from."""
OURS = "a cache mount of this target's own builds"
RECOVERS = "the next build writes it anew, slower"


def cache_steps(snapshot: Snapshot) -> tuple[tuple[Step, ...], tuple[Object, ...], tuple[str, ...]]:
    """Steps, objects and notes: this target's own cache mounts, and records of the types that the diagnosis named.

    A record that a build uses now, or whose owner cannot be told and whose type nothing named, stays.

    Raises:
        RunbookError: the engine could not list its records.
    """
    if snapshot.caches is None or snapshot.caches.unlisted:
        why = snapshot.caches.unlisted if snapshot.caches else snapshot.unknown.get("caches", "they were not observed")
        raise RunbookError(f"the engine's build cache cannot be listed: {why}", "drillbook doctor; docker system df -v")
    found = [(record, whose) for record, whose in _chosen(snapshot, diagnosed(snapshot)) if not record.in_use]
    steps = tuple(_step(snapshot, record, whose) for record, whose in found)
    objects = tuple(
        Object("build-cache", "cache record", f"{record.id} {record.type}", f"cache-{record.id}", whose, RECOVERS,
               record.bytes, record.created)
        for record, whose in found
    )  # fmt: skip
    foreign = sum(whose != OURS for _, whose in found)
    note = f"{foreign} of {len(found)} records may be another project's: {EVERYONES}"
    return steps, objects, (note,) if foreign else ()


def diagnosed(snapshot: Snapshot) -> set[str]:
    """The types of record that the diagnosis names."""
    return {TYPES[cause.id] for cause in diagnose(snapshot).causes if cause.id in TYPES}


def _chosen(snapshot: Snapshot, named: set[str]) -> Iterator[tuple[BuildRecord, str]]:
    declared = mounts(snapshot.dockerfiles)
    for record in snapshot.caches.records if snapshot.caches else ():
        mine = record.type == "exec.cachemount" and any(m.is_of(record.description) for m in declared)
        alike = record.type == "exec.cachemount" and any(m.may_lie_at(record.description) for m in declared)
        if mine:
            yield record, OURS
        elif record.type in named and (alike or record.type != "exec.cachemount"):
            yield record, f"diagnosed type; {EVERYONES}"


def _step(snapshot: Snapshot, record: BuildRecord, whose: str) -> Step:
    begins = snapshot.caches.engine if snapshot.caches else ("docker",)
    argv = (*begins, "buildx", "prune", "--force", "--filter", f"id={record.id}")
    what = record.description.partition(" from ")[0] or record.type
    return Step(
        f"cache-{record.id}", "command", f"{record.type} {what}"[:120], argv, timeout_seconds=120,
        destroys=(f"cache record {record.id} ({shlex.quote(what)[:80]}; {whose})",), recovers=RECOVERS,
    )  # fmt: skip
