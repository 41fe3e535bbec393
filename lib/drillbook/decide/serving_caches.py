"""Caches behind the build: old images, masks, a process's memory, the proxy, and whoever keeps its answers."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from drillbook.decide.cache import Cache, Present, ages, compose, replace, spoken
from drillbook.observe.facts import ContainerFact, ProcessFact, ResponseFact, Snapshot

SERVED = ("age", "x-cache", "x-cache-status", "x-proxy-cache", "x-nginx-cache", "x-varnish", "cf-cache-status", "via")
KEEPING = ("cache-control", "expires", "etag", "last-modified")
NEVER = ("no-store", "no-cache", "max-age=0")


def serving_caches(snapshot: Snapshot, now: float) -> Iterator[Cache]:
    """The running image, volumes or binds over code, the process's memory, the proxy, HTTP headers."""
    yield _running_image(snapshot, now)
    yield from _masks(snapshot, now)
    yield _memory(snapshot, now)
    yield _proxy(snapshot)
    yield from _headers(snapshot)


def _code(snapshot: Snapshot) -> list[ContainerFact]:
    """Running containers whose code is known; every one where no service's code is."""
    running = [c for c in snapshot.containers if c.running]
    return [c for c in running if c.service in snapshot.sources] or running


def _running_image(snapshot: Snapshot, now: float) -> Cache:
    what, running = "the running container's image", _code(snapshot)
    other = [c for c in running if c.tag_image_id and c.tag_image_id != c.image_id]
    gone = [c.name for c in running if not c.tag_image_id]
    if not running:
        why = snapshot.unknown.get("containers", "no container of this target runs")
        return Cache("running-image", what, "containers", "unknown", note=why)
    present: Present = "yes" if other else "unknown" if gone else "no"
    images = [snapshot.engine_images[c.image_id] for c in other if c.image_id in snapshot.engine_images]
    note = (
        "; ".join(f"{c.name} runs {c.image_id[7:19]}, but {c.image_ref} is {c.tag_image_id[7:19]} now" for c in other)
        or (f"the tag of {spoken(gone)} is gone" if gone else "each container runs what its tag means now")
    )  # fmt: skip
    return Cache(
        "running-image", what, spoken(c.name for c in other or running), present,
        sum(i.bytes for i in images) if images else None, ages(now, [i.created for i in images]),
        replace(snapshot, dict.fromkeys(c.service for c in other or running)), no_cache=False, note=note,
    )  # fmt: skip


def _masks(snapshot: Snapshot, now: float) -> Iterator[Cache]:
    what, where = "volume or bind over the code", "mounts below the code's folder"
    covers = [(p, path, origin) for p in snapshot.processes for path, origin in sorted(p.covers.items())]
    if not covers:
        seen = bool(snapshot.processes)
        note = "nothing is mounted over the code" if seen else "no process was looked into"
        yield Cache("mask", what, where, "no" if seen else "unknown", note=note)
    for process, path, origin in covers:
        inside = [at for name, at in process.changed_at.items() if path == "." or f"{name}/".startswith(f"{path}/")]
        clears, note = _unmask(snapshot, process, origin)
        yield Cache(
            f"mask:{process.name}:{path}", what, f"{origin} over {path} of {process.name}", "yes", None,
            ages(now, inside), clears, no_cache=False, note=f"no rebuild reaches what lies beneath; {note}",
        )  # fmt: skip


def _unmask(snapshot: Snapshot, process: ProcessFact, origin: str) -> tuple[str, str]:
    """An anonymous volume is left behind by a new container; any other leaves with the compose file's line."""
    mounts = [m for c in snapshot.containers if c.id == process.container for m in c.mounts]
    if any(m.anonymous and m.name and m.name in origin for m in mounts):
        removed = compose(snapshot, "rm", "--stop", "--force", process.service)
        created = compose(snapshot, "up", "-d", "--no-build", "--no-deps", process.service)
        return f"{removed} && {created}", "the new container gets a new volume; the old one stays on the disk"
    return replace(snapshot, [process.service]), "first take the mount out of the compose file; what it holds stays"


def _memory(snapshot: Snapshot, now: float) -> Cache:
    what, running = "the process's memory", _code(snapshot)
    if not running:
        why = snapshot.unknown.get("containers", "no container of this target runs")
        return Cache("memory", what, "processes", "unknown", note=why)
    late = [p for p in snapshot.processes if p.changed_at and max(p.changed_at.values()) > p.started_at > 0]
    names = {p.name for p in late}
    shown = [c for c in running if c.name in names] or running
    since = f"{spoken(sorted(names))} started before its code last changed"
    return Cache(
        "memory", what, spoken(c.name for c in shown), "yes", None, ages(now, map(_started, shown)),
        compose(snapshot, "restart", *dict.fromkeys(c.service for c in shown)), no_cache=False,
        note=since if late else "code is read once, at the start; nothing that was seen changed since",
    )  # fmt: skip


def _started(container: ContainerFact) -> float:
    try:
        return datetime.fromisoformat(f"{container.started[:19]}+00:00").timestamp()
    except ValueError:
        return 0.0


def _answers(snapshot: Snapshot) -> list[ResponseFact]:
    return [r for r in snapshot.responses if r.via == "proxy" and r.status]


def _proxy(snapshot: Snapshot) -> Cache:
    what, answers = "proxy cache", _answers(snapshot)
    if not answers:
        return Cache("proxy", what, "the endpoints' server", "unknown", note="no endpoint answered")
    ports = {urlsplit(r.url).port for r in answers}
    servers = [c for c in snapshot.containers if ports & set(c.ports)]
    told = [f"{r.endpoint}: {name}: {r.headers[name]}" for r in answers for name in SERVED if name in r.headers]
    hits = [r for r in answers if _served_from_cache(r)]
    other = _other_build(snapshot, answers)
    since = [float(r.headers["age"]) for r in hits if r.headers.get("age", "").isdigit()]
    note = "; ".join([*other, *told]) or "no header and no differing build tells of one"
    return Cache(
        "proxy", what, spoken(c.name for c in servers) or "the endpoints' server", "yes" if hits or other else "no",
        None, max(since, default=None), replace(snapshot, dict.fromkeys(c.service for c in servers)) if servers else "",
        no_cache=False, note=f"{note}. A cache on a volume outlives this" if hits or other else note,
    )  # fmt: skip


def _served_from_cache(answer: ResponseFact) -> bool:
    told = " ".join(value for name, value in answer.headers.items() if name in SERVED and name != "via").lower()
    return "hit" in told or "stale" in told or answer.headers.get("age", "0") not in ("", "0")


def _other_build(snapshot: Snapshot, answers: Sequence[ResponseFact]) -> list[str]:
    """Builds that come through the proxy and that no replica tells when it is asked straight."""
    straight = {r.build_id for r in snapshot.responses if r.via != "proxy" and r.build_id}
    return [
        f"{r.endpoint} answers build {r.build_id}, which no replica runs"
        for r in answers
        if straight and r.build_id and r.build_id not in straight
    ]


def _headers(snapshot: Snapshot) -> Iterator[Cache]:
    what, answers = "browsers and CDNs", {r.endpoint: r for r in _answers(snapshot)}
    if not answers:
        yield Cache("http", what, "response headers", "unknown", note="no endpoint answered")
    for endpoint, answer in answers.items():
        told = {name: answer.headers[name] for name in KEEPING if name in answer.headers}
        control = told.get("cache-control", "").lower()
        kept = bool(told) and not any(word in control for word in NEVER)
        yield Cache(
            f"http:{endpoint}", what, answer.url, "yes" if kept else "no", clears=f"curl -sS -i -H "
            f"{shlex.quote('Cache-Control: no-cache')} {shlex.quote(answer.url)}" if kept else "", no_cache=False,
            note=f"{', '.join(f'{n}: {v}' for n, v in told.items()) or 'no header lets anyone keep it'}"
            + ("; this asks past it, a browser needs a hard reload, a CDN its own purge" if kept else ""),
        )  # fmt: skip
