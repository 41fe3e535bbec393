"""Archive a volume: its files through a container that never starts, compressed and hashed on the way."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard

from drillbook.act.backup import opened, room
from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded
from drillbook.decide.plan import Step
from drillbook.errors import RunbookError
from drillbook.observe import engine, redis
from drillbook.observe.redis import RedisContent
from drillbook.observe.volumes import DeclaredVolume, Tree, archive, declared_volumes, tree_of, window
from drillbook.vault.manifest import VolumeEntry

QUIET_TRIES = 2
SAVE_TRIES = 30
PAUSE_MILLISECONDS = "60000"


@verb("backup.volume")
@guarded
def archive_volume(step: Step, context: Context) -> dict[str, Any]:
    """One volume into `volumes/KEY.tar.zst`; a redis saves itself first, and its keys are digested."""
    backup = opened(context)
    volume = volume_called(context, step.subject)
    (backup.folder / "volumes").mkdir(mode=0o700, exist_ok=True)
    relative = f"volumes/{volume.key}.tar.zst"
    file = backup.folder / relative
    with room(context):
        tree, seen = _consistent(context, volume, file)
    config: dict[str, str] = {}
    if volume.kind == "redis":
        password = redis.password_of(context.target, volume.key)
        config = redis.config(engine.client(context.target), volume.container_id, password)
    entry = VolumeEntry(
        key=volume.key, kind=volume.kind, service=volume.service, destination=volume.destination, file=relative,
        bytes=file.stat().st_size, members=tree.members, tree=tree.digest, image_id=volume.image_id,
        keys=seen.keys if seen else None, digest=seen.digest if seen else None, config=config,
    )  # fmt: skip
    backup.volumes[volume.name] = entry
    return {"volume": volume.name, "members": tree.members, "bytes": entry.bytes, "keys": entry.keys}


def volume_called(context: Context, name: str) -> DeclaredVolume:
    """The target's volume *name*.

    Raises:
        RunbookError: it is gone since the plan was made.
    """
    for volume in declared_volumes(context.target):
        if volume.name == name:
            return volume
    raise RunbookError(f"volume {name} is not there any more", "run the runbook again; it plans from what is there")


def _consistent(context: Context, volume: DeclaredVolume, file: Path) -> tuple[Tree, RedisContent | None]:
    """Archive *volume*; for a redis, until its keys were the same before and after, at last with its writers paused."""
    if volume.kind == "files":
        return _archive(context, volume, file), None
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
    for _ in range(SAVE_TRIES):
        answer = redis.cli(client, volume.container_id, password, "SAVE").strip()
        if answer == "OK":
            break
        time.sleep(1)  # a background save of its own may be under way
    else:
        raise RunbookError(f"redis of {volume.service} would not save: {answer}", "see its log and its disk")
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
