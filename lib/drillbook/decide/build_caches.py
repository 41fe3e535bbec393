"""Caches of the engine that a build draws from, and whether `--no-cache` gets past each.

Measured on BuildKit 0.8 (docker 20.10) by tests/drills/sandbox/test_cache_pollution.py, and said by its makers:
`--no-cache` runs every instruction anew and releases the cache mounts of those it runs
(https://github.com/moby/buildkit/pull/1092), but not those with mode=, uid=, gid= or from=
in a BuildKit before September 2024 (https://github.com/moby/buildkit/pull/5306); the synced context stays, which
trusts size and time (https://github.com/moby/buildkit/issues/2592).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from drillbook.decide.cache import Cache, Present, ages, built, engine, rebuild, spoken
from drillbook.decide.cache_mounts import CacheMount, mounts
from drillbook.observe.facts import BaseFact, Snapshot
from drillbook.observe.facts_signs import BuildRecord

EVERYONES = "the engine cannot tell whose it is: that of other projects goes too, and costs them a slower build"
EMPTIED = "--no-cache empties it"
OUTLIVES = "its mode, uid, gid or from makes it outlive --no-cache (BuildKit before September 2024)"
OTHERS = {
    "source.git.checkout": ("git checkout", "named by its commit, so it is never stale; the branch is asked anew"),
    "frontend": ("Dockerfile frontend", "the image of `# syntax=`; asked for anew by --pull"),
    "internal": ("BuildKit's own helpers", "hold no project's code: nothing to clear"),
}
KNOWN = ("regular", "source.local", "exec.cachemount", *OTHERS)


def build_caches(snapshot: Snapshot, now: float) -> Iterator[Cache]:
    """Context sync, layers, cache mounts, other records by type, base images, declared cache sources."""
    yield _context_sync(snapshot, now)
    yield _layers(snapshot, now)
    yield from _mounts(snapshot, now)
    types = dict.fromkeys((*OTHERS, *(r.type for r in _records(snapshot) if r.type not in KNOWN)))
    yield from (_other(snapshot, kind, now) for kind in types)
    yield from _bases(snapshot, now)
    yield _declared(snapshot)


def _records(snapshot: Snapshot, kind: str = "") -> list[BuildRecord]:
    records = snapshot.caches.records if snapshot.caches else ()
    return [record for record in records if kind in ("", record.type)]


def _unlisted(snapshot: Snapshot) -> str:
    if snapshot.caches is None:
        return snapshot.unknown.get("caches", "the build cache was not observed")
    return snapshot.caches.unlisted


def _present(snapshot: Snapshot, records: Sequence[BuildRecord]) -> Present:
    return "unknown" if _unlisted(snapshot) else "yes" if records else "no"


def _of_type(snapshot: Snapshot, kind: str, what: str, clears: str, note: str, now: float) -> Cache:
    records = _records(snapshot, kind)
    return Cache(
        kind, what, _counted(records, kind), _present(snapshot, records),
        sum(r.bytes for r in records) if records else None, ages(now, [r.created for r in records]),
        clears, no_cache=False, note=_unlisted(snapshot) or note,
    )  # fmt: skip


def _counted(records: Sequence[BuildRecord], kind: str) -> str:
    return f"{len(records)} record{'' if len(records) == 1 else 's'} of type {kind}"


def _prune(snapshot: Snapshot, which: str) -> str:
    return engine(snapshot, "buildx", "prune", "--force", "--filter", which)


def _context_sync(snapshot: Snapshot, now: float) -> Cache:
    note = (
        "a file whose size and time did not change is not sent again, whatever is in it; a folder of the same name "
        f"elsewhere shares it; {EVERYONES}"
    )
    clears = _prune(snapshot, "type=source.local")
    return _of_type(snapshot, "source.local", "build-context sync", clears, note, now)


def _layers(snapshot: Snapshot, now: float) -> Cache:
    records = _records(snapshot, "regular")
    services = built(snapshot)
    note = "passed over and written anew; the records of every project on this engine are counted"
    return Cache(
        "layers", "layer cache", _counted(records, "regular"), _present(snapshot, records),
        sum(r.bytes for r in records) if records else None, ages(now, [r.created for r in records]),
        rebuild(snapshot, "--no-cache", services) if services else "", no_cache=True,
        note=_unlisted(snapshot) or note,
    )  # fmt: skip


def _mounts(snapshot: Snapshot, now: float) -> Iterator[Cache]:
    """One row a mount, the target's own first; one where no Dockerfile of this target mounts anything is not its."""
    declared = mounts(snapshot.dockerfiles)
    found = sorted(_records(snapshot, "exec.cachemount"), key=lambda r: (-r.bytes, r.id))
    rows = [_mount(snapshot, record, declared, now) for record in found]
    if all(row.present == "no" for row in rows):
        why = _unlisted(snapshot) or "no build of this target has one"
        present: Present = "unknown" if _unlisted(snapshot) else "no"
        yield Cache("exec.cachemount", "cache mount", "RUN --mount=type=cache", present, note=why)
    yield from sorted(rows, key=lambda row: row.present == "no")


def _mount(snapshot: Snapshot, record: BuildRecord, declared: Sequence[CacheMount], now: float) -> Cache:
    mine = [m for m in declared if m.is_of(record.description)]
    alike = [m for m in declared if m.may_lie_at(record.description)]
    passes = bool(mine) and not any(m.survives for m in mine)
    unread = [name for name in built(snapshot) if name not in snapshot.dockerfiles]
    present: Present = "yes" if mine or alike or unread or not snapshot.dockerfiles else "no"
    if mine:
        note = f"{spoken(m.service for m in mine)}: {mine[0].place}; {EMPTIED if passes else OUTLIVES}"
    elif alike:
        note = f"an earlier command of {alike[0].place}, or another project's"
    elif present == "yes":
        note = f"not known whose it is: the Dockerfile of {spoken(unread) or 'any service'} was not read"
    else:
        note = "no Dockerfile of this target mounts there: another project's, or an earlier Dockerfile's"
    return Cache(
        f"exec.cachemount:{record.id}", "cache mount", record.description.partition(" from ")[0], present, record.bytes,
        ages(now, [record.created]), _prune(snapshot, f"id={record.id}"), no_cache=passes,
        note=f"{note}{'; in use' if record.in_use else ''}",
    )  # fmt: skip


def _other(snapshot: Snapshot, kind: str, now: float) -> Cache:
    what, note = OTHERS.get(kind, (f"records of type {kind}", f"an engine newer than this map; {EVERYONES}"))
    clears = {"frontend": rebuild(snapshot, "--pull", built(snapshot)), "internal": ""}
    return _of_type(snapshot, kind, what, clears.get(kind, _prune(snapshot, f"type={kind}")), note, now)


def _bases(snapshot: Snapshot, now: float) -> Iterator[Cache]:
    if not snapshot.bases:
        none = snapshot.services and not built(snapshot)
        why = "no service is built" if none else "no Dockerfile's base was observed"
        yield Cache("base", "base image", "FROM", "no" if none else "unknown", note=why)
    for reference in dict.fromkeys(base.reference for base in snapshot.bases.values()):
        services = [name for name, base in snapshot.bases.items() if base.reference == reference]
        base = snapshot.bases[services[0]]
        yield Cache(
            f"base:{reference}", "base image", reference, "yes" if base.image_id else "no", None,
            ages(now, [base.created]), rebuild(snapshot, "--pull", services), no_cache=False,
            note="; ".join(_stands(snapshot, name, snapshot.bases[name]) for name in services),
        )  # fmt: skip


def _stands(snapshot: Snapshot, service: str, base: BaseFact) -> str:
    """Whether the image of *service* stands on what the base's tag means now."""
    tags = {c.tag_image_id for c in snapshot.containers if c.service == service and c.tag_image_id}
    images = [image for id, image in snapshot.engine_images.items() if id in tags]
    if not base.image_id:
        return f"{service}: the engine has no such image, the next build fetches it"
    if not images or not base.layers:
        return f"{service}: not known what its image stands on"
    fits = all(image.layers[: len(base.layers)] == base.layers for image in images)
    if fits:
        return f"{service} stands on it"
    return f"{service} stands on an older one; this one is here already, so a build without --pull takes it too"


def _declared(snapshot: Snapshot) -> Cache:
    what, where = "inline or registry cache", "build.cache_from"
    if snapshot.caches is None or not snapshot.services:
        why = _unlisted(snapshot) or snapshot.unknown.get("compose file", "the compose file was not read")
        return Cache("cache-from", what, where, "unknown", no_cache=True, note=why)
    told = snapshot.caches.declared.items()
    read = {name: [t for t in texts if t.startswith("from ")] for name, texts in told}
    read = {name: texts for name, texts in read.items() if texts}
    if not read:
        return Cache("cache-from", what, where, "no", no_cache=True, note="no build of this target names one")
    return Cache(
        "cache-from", what, "; ".join(f"{name}: {spoken(texts)}" for name, texts in read.items()), "yes",
        clears=rebuild(snapshot, "--no-cache", read), no_cache=True,
        note="a build without --no-cache reads it again: to be rid of it, take cache_from out of the compose file",
    )  # fmt: skip
