"""The file systems that a target needs room on: each once, with what lies on it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from drillbook.errors import RunbookError
from drillbook.observe.engine import answering, client, is_local
from drillbook.observe.facts import DiskFact, VolumeFact
from drillbook.target import Target


def disks(target: Target, volumes: Sequence[VolumeFact] = ()) -> tuple[DiskFact, ...]:
    """Free and total bytes and inodes of each file system that holds the vault, the stack, the engine, a volume.

    Changes nothing. The engine's and its volumes' only where it runs on this
    machine. A volume whose mountpoint may not be looked into counts to the engine's own.

    Raises:
        RunbookError: a place cannot be read, and no other place tells of its file system.
    """
    return measured([*_own(target), *_engine(target, volumes)])


def measured(places: Iterable[tuple[str, Path]]) -> tuple[DiskFact, ...]:
    """A fact for each file system under *places*, which are (what lies there, where).

    Raises:
        RunbookError: a place cannot be read.
    """
    found: dict[int, DiskFact] = {}
    for what, path in places:
        try:
            there = _nearest(path)
            device, room = there.stat().st_dev, os.statvfs(there)
        except OSError as error:
            raise RunbookError(
                f"the disk that holds {what} ({path}) cannot be looked at: {error.strerror}",
                "look at it with df as a user who may",
            ) from error
        known = found.get(device)
        found[device] = replace(known, what=f"{known.what}, {what}") if known else _fact(str(path), what, room)
    return tuple(found.values())


def _fact(path: str, what: str, room: os.statvfs_result) -> DiskFact:
    free, total = room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize
    return DiskFact(path, free, total, what, room.f_favail, room.f_files)


def _nearest(path: Path) -> Path:
    """*path*, or the closest folder above it that is there: where it would be made."""
    for there in (path, *path.parents):
        try:
            there.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        return there
    return path


def _own(target: Target) -> Iterator[tuple[str, Path]]:
    if target.vault is not None:
        yield "vault", target.vault
    if target.stack is not None:
        yield "stack", target.directory


def _engine(target: Target, volumes: Iterable[VolumeFact]) -> Iterator[tuple[str, Path]]:
    if target.stack is None or not is_local(target):
        return
    try:
        api = client(target).api
        with answering("where it keeps its data"):
            root = Path(api.info().get("DockerRootDir") or "")
    except RunbookError:  # an engine that is down is told by whoever needs its answer
        return
    if not root.is_absolute() or not _there(root):  # it runs in a machine of its own, as Docker Desktop does
        return
    yield "engine", root
    for volume in volumes:
        if volume.mountpoint and _there(Path(volume.mountpoint)):
            yield f"volume {volume.name}", Path(volume.mountpoint)


def _there(path: Path) -> bool:
    try:
        path.stat()
    except OSError:
        return False
    return True
