"""Build cache records are cleared one by one, by their ids: this target's own, and those of a diagnosed type."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import pytest

from drillbook.decide.diagnose import diagnose
from drillbook.decide.plan import Object, Step
from drillbook.decide.reset_cache import OURS, RECOVERS, cache_steps, diagnosed
from drillbook.errors import RunbookError
from drillbook.observe.facts import CachesFact, Snapshot
from drillbook.observe.facts_signs import BuildRecord

RUN = "--mount=type=cache,target=/root/.npm npm ci"
MINE = "cached mount /root/.npm from exec /bin/sh -c npm ci"
EARLIER = "cached mount /root/.npm from exec /bin/sh -c npm install"
ALIEN = "cached mount /root/.cache/pip from exec /bin/sh -c pip install ."
NAMED = {"source.local": "stale-context", "exec.cachemount": "stale-cache-mount"}


def record(name: str, kind: str, description: str = "", **changes: Any) -> BuildRecord:
    fact = BuildRecord(name, kind, description, 1000, 1_760_000_000.0, 0.0, in_use=False, shared=False)
    return replace(fact, **changes)


def snapshot(*records: BuildRecord, stale: str = "", **changes: Any) -> Snapshot:
    """A stack with one cache mount of its own and these records; *stale* is the type that its diagnosis names."""
    facts = {"caches": CachesFact(records=records), "dockerfiles": {"app1": builders.dockerfile(("RUN", RUN))}}
    return {"": builders.healthy, "source.local": stale_context, "exec.cachemount": stale_mount}[stale](
        **{**facts, **changes}
    )


def stale_context(**changes: Any) -> Snapshot:
    """A file of the image is another one with the source's own size and time."""
    stamps = {"lib/db.js": (10, 1_760_000_000)}
    old = builders.image(
        files={**builders.SOURCES, "lib/db.js": builders.digest("old db")}, built_from={}, stamps=stamps
    )
    return builders.healthy(**{"images": (old,), "sources": {"app1": builders.source(stamps=stamps)}, **changes})


def stale_mount(**changes: Any) -> Snapshot:
    """Right sources beside a bundle of older ones, in an image whose build keeps its output in a cache mount."""
    kept = builders.dockerfile(
        ("FROM", "node"), ("COPY", ". ."), ("RUN", "--mount=type=cache,target=/app/.next npm run b")
    )
    old = {**builders.SOURCES, "lib/db.js": builders.digest("old db")}
    facts = {"images": (builders.image(built_from=old),), "processes": (builders.process(built_from=old),)}
    return builders.healthy(**{**facts, **changes, "dockerfiles": {"app1": kept}})


@pytest.mark.parametrize("kind", NAMED)
def test_type_is_what_the_diagnosis_names(kind: str) -> None:
    """A stale context calls for the context's records, a stale cache mount for those of mounts."""
    facts = snapshot(stale=kind)
    assert NAMED[kind] in diagnose(facts).names()
    assert diagnosed(facts) == {kind}
    assert diagnosed(snapshot()) == set()
    assert diagnosed(builders.stale_artifact()) == set()


def test_own_cache_mount_is_cleared_by_its_id() -> None:
    """The exact command names one record, and the record tells its size and age."""
    steps, objects, notes = cache_steps(snapshot(record("m1", "exec.cachemount", MINE)))
    assert steps == (
        Step(
            "cache-m1", "command", "exec.cachemount cached mount /root/.npm",
            ("docker", "buildx", "prune", "--force", "--filter", "id=m1"), timeout_seconds=120, recovers=RECOVERS,
            destroys=(f"cache record m1 ('cached mount /root/.npm'; {OURS})",),
        ),
    )  # fmt: skip
    assert objects == (
        Object("build-cache", "cache record", "m1 exec.cachemount", "cache-m1", OURS, RECOVERS, 1000, 1_760_000_000.0),
    )
    assert notes == ()


@pytest.mark.parametrize(
    ("stale", "cleared"),
    [("", ["own"]), ("source.local", ["own", "ctx1", "ctx2"])],
)
def test_only_diagnosed_types_are_cleared(stale: str, cleared: list[str]) -> None:
    """Layers, frontends and other projects' mounts stay; the context's records go when the context is stale."""
    kinds = ("regular", "frontend", "internal", "source.git.checkout", "unheard-of")
    others = (record(kind, kind) for kind in kinds)
    facts = snapshot(
        record("own", "exec.cachemount", MINE), record("earlier", "exec.cachemount", EARLIER),
        record("alien", "exec.cachemount", ALIEN), record("ctx1", "source.local"), record("ctx2", "source.local"),
        *others, stale=stale,
    )  # fmt: skip
    steps, _, notes = cache_steps(facts)
    assert [step.argv[-1] for step in steps] == [f"id={name}" for name in cleared]
    assert bool(notes) == (len(cleared) > 1)


def test_earlier_mount_at_the_same_place_goes_when_mounts_are_stale() -> None:
    """The build that ran before this Dockerfile kept it at the same path; one at another path is somebody else's."""
    there = (
        record("earlier", "exec.cachemount", "cached mount /app/.next from exec /bin/sh -c npm run old"),
        record("alien", "exec.cachemount", ALIEN),
    )
    steps, objects, notes = cache_steps(snapshot(*there, stale="exec.cachemount"))
    assert [step.id for step in steps] == ["cache-earlier"]
    assert objects[0].destroys.startswith("diagnosed type; the engine cannot tell whose it is")
    assert notes[0].startswith("1 of 1 records may be another project's")


def test_record_in_use_stays() -> None:
    """What a build draws from at this moment is not taken away from it."""
    busy = record("m1", "exec.cachemount", MINE, in_use=True)
    assert cache_steps(snapshot(busy)) == ((), (), ())


def test_another_engine_is_named_in_every_command() -> None:
    """A target's own engine is told to docker, wherever DOCKER_HOST points."""
    there = CachesFact(records=(record("m1", "exec.cachemount", MINE),), engine=("docker", "-H", "ssh://a"))
    [step], _, _ = cache_steps(snapshot(caches=there))
    assert step.argv[:5] == ("docker", "-H", "ssh://a", "buildx", "prune")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"caches": None}, "they were not observed"),
        ({"caches": None, "unknown": {"caches": "no buildx"}}, "no buildx"),
        ({"caches": CachesFact(unlisted="no buildx")}, "no buildx"),
    ],
)
def test_cache_that_cannot_be_listed_is_no_empty_one(changes: dict[str, Any], why: str) -> None:
    """Nothing is planned on records that nobody saw: the reason is told."""
    with pytest.raises(RunbookError, match=f"build cache cannot be listed: {why}"):
        cache_steps(snapshot(**changes))
