"""What the volumes hold that a reset is to empty, and who has them mounted. Reads only."""

from __future__ import annotations

import tarfile
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from drillbook.errors import RunbookError
from drillbook.observe import engine, redis
from drillbook.observe.facts import ContainerFact, HeldFact, Snapshot
from drillbook.observe.helper import LABEL
from drillbook.observe.tar_stream import members
from drillbook.observe.volumes import archive, window
from drillbook.target import Target, Volume, secret

RESETTING = "drillbook.resetting"
"""The label, with the volume's name, of the empty volume that marks how far a reset of it has come."""
STARTS = f"{RESETTING}.starts"
ASIDE = "-aside-"
"""Between a volume's name and a date. Helpers of a reset are labelled so: who holds the lock may sweep them."""
TOOLS = (("/bin/sh",), ("/usr/bin/find", "/bin/find"))
CONTROL = "global/pg_control"
TRIES = 3


def with_held(target: Target, snapshot: Snapshot, names: Collection[str]) -> Snapshot:
    """*snapshot* with what the volumes *names* hold now, each read to its end. Changes nothing.

    Raises:
        EngineDown: the engine does not answer.
        RunbookError: a volume cannot be read, or a redis that runs does not answer.
    """
    found = {name: _held(target, snapshot, name) for name in names}
    return replace(snapshot, held={**snapshot.held, **found})


def _held(target: Target, snapshot: Snapshot, name: str) -> HeldFact:
    client, declared = engine.client(target), described(target, snapshot, name)
    own = declared.service if declared else ""
    near = sorted(snapshot.containers, key=lambda c: (not mounts(c, name), not c.running, c.service != own))
    if not near:
        hint = "start the stack (docker compose up -d), then run this again"
        raise RunbookError(f"volume {name} has no container beside it whose image could read it", hint)
    images = list(dict.fromkeys(container.image_id for container in near))
    with engine.answering(f"what volume {name} holds"):
        fact = replace(
            _read(client, images[0], name),
            others=_others(client, snapshot, name),
            stopped=_stopped(client, target, name),
            image_id=next((image for image in images if _can_empty(client, image, name)), ""),
        )
    if declared and declared.kind == "redis" and near[0].running and mounts(near[0], name):
        return _with_keys(target, near[0], fact, secret(declared.password, target))
    return fact


def described(target: Target, snapshot: Snapshot, name: str) -> Volume | None:
    """What the target's file says of the volume, by its key or its name."""
    key = next((volume.key for volume in snapshot.volumes if volume.name == name), "")
    return target.volumes.get(key) or target.volumes.get(name)


def mounts(container: ContainerFact, volume: str) -> bool:
    """Whether *container* mounts *volume*."""
    return any(mount.kind == "volume" and mount.name == volume for mount in container.mounts)


def _read(client: Any, image: str, name: str) -> HeldFact:
    for _ in range(TRIES):
        try:
            with window(client, image, name, "ro", f"{name}{ASIDE}") as container:
                found = [(member.info.name, member.info.size) for member in members(archive(client, container))]
        except (tarfile.TarError, EOFError):  # a file grew or shrank meanwhile
            continue
        inside = [(path, size) for path, size in found if path.rstrip("/") != "."]
        control = next((path for path, _ in inside if path.endswith(CONTROL)), "")
        return HeldFact(name, len(inside), sum(size for _, size in inside), control=control.removeprefix("./"))
    raise RunbookError(
        f"volume {name} changed while it was read, {TRIES} times", "stop what writes into it, then again"
    )


def _with_keys(target: Target, container: ContainerFact, fact: HeldFact, password: str) -> HeldFact:
    """*fact* with all keys, and the lasting ones, of the redis in *container*, which runs on the volume."""
    client = engine.client(target)
    told = redis.cli(client, container.id, password, "INFO", "keyspace")
    numbers = [part for line in told.splitlines() for part in line.partition(":")[2].split(",")]
    total = sum(int(part.removeprefix("keys=")) for part in numbers if part.startswith("keys="))
    return replace(fact, redis=container.id, keys=total, lasting=redis.content(client, container.id, password).keys)


def _others(client: Any, snapshot: Snapshot, name: str) -> tuple[str, ...]:
    ours = {container.id for container in snapshot.containers}
    return tuple(sorted(str(row["Names"][0]).lstrip("/") for row in users(client, name) if row["Id"] not in ours))


def users(client: Any, volume: str) -> Sequence[dict[str, Any]]:
    """The running containers, anybody's, that mount *volume*; without helpers of ours."""
    rows: Iterable[dict[str, Any]] = client.api.containers(filters={"volume": volume})
    return [row for row in rows if LABEL not in (row.get("Labels") or {})]


def _stopped(client: Any, target: Target, name: str) -> tuple[str, ...]:
    found = (row["Labels"].get(STARTS, "").split() for row in marks(client, target, name))
    return tuple(sorted({one for ids in found for one in ids}))


def marks(client: Any, target: Target, volume: str) -> Sequence[dict[str, Any]]:
    """The marks of the resets of *volume* that have not come to their end, as the engine tells them."""
    labels = [f"{RESETTING}={volume}", f"{RESETTING}.target={target.name}"]
    rows: Sequence[dict[str, Any]] = client.api.volumes(filters={"label": labels})["Volumes"] or []
    return rows


def _can_empty(client: Any, image: str, volume: str) -> bool:
    """Whether *image* has the programs that empty a volume."""
    with window(client, image, volume, "ro", f"{volume}{ASIDE}") as container:
        return all(any(_has(client, container, path) for path in paths) for paths in TOOLS)


def _has(client: Any, container: str, path: str) -> bool:
    import docker

    try:
        client.api.get_archive(container, path)[0].close()
    except docker.errors.NotFound:
        return False
    return True
