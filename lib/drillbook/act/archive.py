"""Archive a volume: its files through a container that never starts, compressed and hashed on the way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard

from drillbook.act.backup import opened, room
from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded
from drillbook.act.quiet import quiet, writers
from drillbook.act.volume_content import save
from drillbook.decide.plan import Step
from drillbook.errors import RunbookError
from drillbook.observe import engine, redis
from drillbook.observe.redis import RedisContent
from drillbook.observe.volumes import DeclaredVolume, Tree, archive, declared_volumes, tree_of, window
from drillbook.vault.manifest import VolumeEntry

QUIET_TRIES, STILL_TRIES = 2, 3
PAUSE_MILLISECONDS = "60000"


@verb("backup.volume")
@guarded
def archive_volume(step: Step, context: Context) -> dict[str, Any]:
    """One volume into `volumes/KEY.tar.zst`; a redis saves itself first, and its keys are digested.

    Files are read until they held still meanwhile, or are kept still by what
    the target's file says: commands around the copy, or a short stop.

    Raises:
        RunbookError: they never held still.
    """
    backup = opened(context)
    volume = volume_called(context, step.subject)
    (backup.folder / "volumes").mkdir(mode=0o700, exist_ok=True)
    relative = f"volumes/{volume.key}.tar.zst"
    file = backup.folder / relative
    with room(context):
        if volume.kind == "files":
            tree, changed = _still(step, context, volume, file)
            seen = None
        else:
            (tree, seen), changed = _redis(context, volume, file), False
    config: dict[str, str] = {}
    if volume.kind == "redis":
        password = redis.password_of(context.target, volume.key)
        config = redis.config(engine.client(context.target), volume.container_id, password)
    entry = VolumeEntry(
        key=volume.key, kind=volume.kind, service=volume.service, destination=volume.destination, file=relative,
        bytes=file.stat().st_size, members=tree.members, tree=tree.digest, image_id=volume.image_id,
        keys=seen.keys if seen else None, digest=seen.digest if seen else None, config=config,
        changed_while_read=changed,
    )  # fmt: skip
    backup.volumes[volume.name] = entry
    return {"volume": volume.name, "members": tree.members, "bytes": entry.bytes, "keys": entry.keys,
            "changed_while_read": changed}  # fmt: skip


def volume_called(context: Context, name: str) -> DeclaredVolume:
    """The target's volume *name*.

    Raises:
        RunbookError: it is gone since the plan was made.
    """
    for volume in declared_volumes(context.target):
        if volume.name == name:
            return volume
    raise RunbookError(f"volume {name} is not there any more", "run the runbook again; it plans from what is there")


def _still(step: Step, context: Context, volume: DeclaredVolume, file: Path) -> tuple[Tree, bool]:
    """Archive *volume* as it is at one moment, and whether it changed while it was read.

    What nobody has open is read once; else a second look must find the same.
    Where commands of the target's file make it consistent, or it is a cache, a
    change is told and no failure.
    """
    tolerated = bool(step.args.get("before")) or bool(step.args.get("volatile"))
    with quiet(step, context, volume):
        for _ in range(STILL_TRIES):
            tree = _archive(context, volume, file)
            if not writers(context, volume.name) or _tree(context, volume) == tree:
                return tree, False
            if tolerated:
                return tree, True
    raise RunbookError(
        f"the files of volume {volume.name} changed while they were read, {STILL_TRIES} times",
        f"say in the target's file how they hold still: volumes.{volume.key}.stop: true, or before and after; "
        "volatile: true for a cache",
    )


def _tree(context: Context, volume: DeclaredVolume) -> Tree:
    client = engine.client(context.target)
    with window(client, volume.image_id, volume.name, "ro", context.folder.name) as container:
        return tree_of(archive(client, container))


def _redis(context: Context, volume: DeclaredVolume, file: Path) -> tuple[Tree, RedisContent | None]:
    """Archive a redis until its keys were the same before and after, at last with its writers paused."""
    client, password = engine.client(context.target), redis.password_of(context.target, volume.key)
    if not volume.running:
        raise RunbookError(
            f"redis service {volume.service} is not running, so its keys cannot be told",
            f"start it (docker start {volume.containers[0]}), then run 02-backup again",
        )
    for _ in range(QUIET_TRIES):
        before = redis.content(client, volume.container_id, password)
        tree = _saved(context, volume, file)
        if redis.content(client, volume.container_id, password) == before:
            return tree, before
    try:
        redis.cli(client, volume.container_id, password, "CLIENT", "PAUSE", PAUSE_MILLISECONDS, "WRITE")
        paused = redis.content(client, volume.container_id, password, "EVAL_RO")
        tree = _saved(context, volume, file)
        after = redis.content(client, volume.container_id, password, "EVAL_RO")
    finally:
        redis.cli(client, volume.container_id, password, "CLIENT", "UNPAUSE")
    return tree, after if paused == after else None


def _saved(context: Context, volume: DeclaredVolume, file: Path) -> Tree:
    client, password = engine.client(context.target), redis.password_of(context.target, volume.key)
    save(client, volume.container_id, password, f"see the log and the disk of {volume.service}")
    return _archive(context, volume, file)


def _archive(context: Context, volume: DeclaredVolume, file: Path) -> Tree:
    client = engine.client(context.target)
    with window(client, volume.image_id, volume.name, "ro", context.folder.name) as container:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as raw, zstandard.ZstdCompressor(level=3).stream_writer(raw) as compressed:
            chunks = _copied(archive(client, container), compressed)
            tree = tree_of(chunks)
            for _ in chunks:  # tarfile stops at the end mark; what follows belongs to the archive too
                pass
    return tree


def _copied(chunks: Iterator[bytes], to: zstandard.ZstdCompressionWriter) -> Iterator[bytes]:
    for chunk in chunks:
        to.write(chunk)
        yield chunk


def stored(file: Path) -> Iterator[bytes]:
    """The chunks of the tar stream in *file*.

    Raises:
        zstandard.ZstdError: the file is damaged.
    """
    with file.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as reader:
        while chunk := reader.read(1 << 20):
            yield chunk
