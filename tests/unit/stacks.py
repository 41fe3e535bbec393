"""Stacks of any shape for properties: services, replicas, images, volumes, caches, halves of runs that were cut."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import builders
from hypothesis import strategies as st

from drillbook.observe.facts import (
    BackupFact,
    CachesFact,
    ConfigFact,
    ContainerFact,
    FilesFact,
    ImageFact,
    Mount,
    ServiceFact,
    Snapshot,
    VolumeFact,
)
from drillbook.observe.facts_signs import BuildRecord, FolderFact
from drillbook.target import Target

IMAGES = tuple("sha256:" + letter * 64 for letter in "abcdef")
WORDS = (
    "proxy",
    "endpoints",
    "volumes",
    "back",
    "postgres",
    "app1",
    "app1-1",
    "app1-2",
    "new",
    "x.y",
    "other_db",
    "Web",
)
ALONE = ("", "", "", "it publishes the host's port 80", "its container has a fixed name, app")
MOUNT = "--mount=type=cache,target=/root/.npm npm ci"
OWN = "cached mount /root/.npm from exec /bin/sh -c npm ci"
RECORDS = (
    ("exec.cachemount", OWN), ("exec.cachemount", "cached mount /var/cache/apt from exec /bin/sh -c apt"),
    ("exec.cachemount", "cached mount /root/.npm from exec /bin/sh -c npm run other"), ("source.local", "context"),
    ("regular", "[2/3] RUN x"), ("frontend", ""), ("internal", ""), ("source.git.checkout", ""), ("of next year", OWN),
)  # fmt: skip


@dataclass(frozen=True)
class Site:
    """A target and what was seen of it."""

    target: Target
    snapshot: Snapshot

    @property
    def backup(self) -> BackupFact:
        return builders.backup()


def variants(*parts: Any) -> st.SearchStrategy[Any]:
    """One choice of each of *parts*, in a single draw: a stack has many parts, and each draw costs."""
    return st.sampled_from(list(itertools.product(*parts)))


NAMED = ("connect-app1", "registry:5000/team/app:1", "connect-{}", "connect-{}:2")
services = variants((True, False), NAMED, range(4), ALONE, ((10.0, 0.0), (60.5, 45.0)))
MOUNTS = ((), (Mount("volume", "connect_x", "", "/data"),), (Mount("bind", "", "/srv", "/srv"),))
STATES = (
    (True, 0, "unless-stopped"), (True, 0, "no"), (True, 0, "no"), (False, 0, "no"), (False, 1, "no"),
    (False, 137, "unless-stopped"),
)  # fmt: skip
containers = variants(IMAGES[:3], (*IMAGES[:3], ""), ("", "", IMAGES[0], "before:1"), STATES, MOUNTS, ((), (8080,)))
records = variants(RECORDS, (True, False, False))


def service(name: str, built: bool, chosen: Any, depends: tuple[str, ...]) -> ServiceFact:
    """A service; two of them may share an image."""
    maybe, image, replicas, alone, (grace, ready) = chosen
    context = builders.DIRECTORY if built or maybe else ""
    return ServiceFact(
        name, image.format(name), context, "Dockerfile" if context else "", replicas=replicas, alone=alone,
        depends=depends, named="app" if "fixed name" in alone else "",
        grace_seconds=grace, ready_seconds=ready,
    )  # fmt: skip


def container(of: ServiceFact, number: int, chosen: Any) -> ContainerFact:
    image, means, reference, (running, code, policy), mounts, ports = chosen
    name = f"connect-{of.name}-{number}"
    return builders.container(
        of.name, id=builders.digest(name), name=name, image_id=image, tag_image_id=means,
        image_ref=reference or of.image, running=running, exit_code=code, restart_policy=policy, mounts=mounts,
        ports=ports,
    )  # fmt: skip


def record(number: int, chosen: Any) -> BuildRecord:
    (kind, description), in_use = chosen
    return BuildRecord(f"r{number}", kind, description, 1000, 1.0, 2.0, in_use=in_use, shared=False)


SOURCES = ({"server.js": "1"}, {"server.js": "2", "lib/db.js": "1"}, {"web/a.ts": "1", "lib/db.js": "2"})
COLUMNS: tuple[dict[str, str], ...] = ({}, {"public.users.id": "bigint"})
DATABASES = ((), *((builders.database(columns=told, service="postgres"),) for told in COLUMNS))


def stale(name: str, tracked: dict[str, str]) -> st.SearchStrategy[FilesFact]:
    """An image as it should be, one with an older file, one with an older file of the same size and time."""
    stamps = dict.fromkeys(tracked, (1, 1))
    whole = FilesFact(IMAGES[0], name, "/app", tracked, {}, tracked)
    older = replace(whole, files={**tracked, next(iter(tracked)): "older"}, built_from={})
    return st.sampled_from([whole, older, replace(older, stamps=stamps), replace(whole, subject=IMAGES[1])])


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """A stack with one service that is built, whose every other part may be there or not, whole or half."""
    names = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4, unique=True))
    chosen = draw(st.tuples(*(st.tuples(services, st.lists(containers, max_size=4), st.integers(0, 7)) for _ in names)))
    needs = [
        tuple(before for bit, before in enumerate(names[:n]) if chosen[n][2] >> bit & 1) for n in range(len(names))
    ]
    made = [service(name, not n, chosen[n][0], needs[n]) for n, name in enumerate(names)]
    there = [container(of, n, one) for of, parts in zip(made, chosen, strict=True) for n, one in enumerate(parts[1], 1)]
    declared = [names[0], *(name for name, parts in zip(names[1:], chosen[1:], strict=True) if parts[2] % 3)]
    tracked, artifacts = draw(st.sampled_from(SOURCES)), draw(st.sampled_from([{}, {".next/a.js": "1"}]))
    through = (".next",) if artifacts and draw(st.booleans()) else ()
    source = builders.source(
        tracked=tracked, artifacts=artifacts, artifacts_in_context=through, stamps=dict.fromkeys(tracked, (1, 1))
    )
    proxy = draw(st.sampled_from([None, builders.PROXY, {"service": names[0]}]))
    stack = builders.stack("nobody", *declared, **({"proxy": proxy} if proxy else {}))
    stack["services"][draw(st.sampled_from(["nobody", *declared]))]["response"] = ""
    drifting, kept = draw(st.integers(0, 5)), draw(st.integers(0, 3))
    seen = Snapshot(
        target="connect", identity=builders.target(stack=stack).identity, containers=tuple(there),
        services=tuple(made), volumes=tuple(draw(volumes(names))), deployed=source,
        sources=dict.fromkeys(declared, source), images=tuple(draw(stale(name, tracked)) for name in declared),
        dockerfiles={name: builders.dockerfile(("RUN", MOUNT)) for name in declared},
        configs=tuple(drifted(c) for n, c in enumerate(there) if n == drifting),
        databases=draw(st.sampled_from(DATABASES)), backups=(builders.backup(),), responses=(builders.answer(),),
        engine_images={i: ImageFact(i, "x", 1.0, 5, ()) for i in IMAGES[:kept]},
        caches=CachesFact(
            records=tuple(record(n, one) for n, one in enumerate(draw(st.lists(records, min_size=2, max_size=6)))),
            folders=(FolderFact(f"{builders.DIRECTORY}/.next", "app1", 1, 10, 5.0, True),),
            engine=draw(st.sampled_from([("docker",), ("docker", "-H", "ssh://a")])),
        ),
    )  # fmt: skip
    return Site(builders.target(stack=stack), seen)


def volumes(names: list[str]) -> st.SearchStrategy[list[VolumeFact]]:
    facts = [VolumeFact(f"connect_{name}", name, "", "") for name in (*names, "postgres_data")]
    return st.lists(st.sampled_from(facts), unique=True)


def drifted(container: ContainerFact) -> ConfigFact:
    return ConfigFact(container.name, container.service, "2", "1", ("environment X",))


def measured_again(snapshot: Snapshot) -> Snapshot:
    """The same stack a moment later: sizes, ages, times and answers are others, everything else is as it was."""
    caches = snapshot.caches
    assert caches is not None
    return replace(
        snapshot,
        containers=tuple(replace(c, started="2026-01-01T00:00:00Z", address="10.0.0.9") for c in snapshot.containers),
        backups=tuple(replace(b, age_seconds=b.age_seconds + 60) for b in snapshot.backups),
        responses=tuple(replace(r, seconds=9.0) for r in snapshot.responses),
        databases=tuple(replace(d, bytes=d.bytes + 1, connections=7) for d in snapshot.databases),
        engine_images={i: replace(f, bytes=f.bytes + 1, created=2.0) for i, f in snapshot.engine_images.items()},
        caches=replace(
            caches,
            records=tuple(replace(r, bytes=r.bytes + 1, created=0.0, last_used=1.0) for r in caches.records),
            folders=tuple(replace(f, bytes=f.bytes + 1, newest=9.0) for f in caches.folders),
        ),
    )
