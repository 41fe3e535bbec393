"""Single files that are mounted into a container: does its process see what lies on the host now?

A bind of one file holds on to the file that was there when the container started. An editor, git or rsync that
puts a new file in its place changes the host's, not the container's. The engine cannot tell: its archive of
a running container mounts the host's path anew (Docker 20.10). The process's own root can.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drillbook.observe import inside, openat
from drillbook.observe.facts import ContainerFact, Mount
from drillbook.observe.image import seconds

LARGEST_BYTES = 1 << 20


@dataclass(frozen=True)
class FileMounts:
    """`file PATH` for each mounted file that the container sees with other content; `unread`: path → why not."""

    differs: tuple[str, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)


class Unread(Exception):
    """Why a mounted file could not be compared."""


def file_mounts(container: ContainerFact, seen: Mapping[str, Any]) -> FileMounts:
    """The single files mounted into a container of this machine's engine, held against the host's.

    Changes nothing, keeps no content: a file that is the same one is not even read. *seen* is the
    container as inspected. One that does not run takes the host's files when it starts.
    """
    state = seen.get("State") or {}
    pid = int(state.get("Pid") or 0)
    differs, unread = list[str](), dict[str, str]()
    for mount in container.mounts if pid else ():
        if mount.kind == "bind":
            try:
                same = _same(mount, pid, container.id, seconds(state.get("StartedAt", "")))
            except Unread as why:
                unread[mount.destination] = str(why)
            else:
                differs += [] if same else [f"file {mount.destination}"]
    return FileMounts(tuple(differs), unread)


def _same(mount: Mount, pid: int, container: str, started: float) -> bool:
    """Whether the mount is of a folder, or of a file that is the host's file of now.

    Raises:
        Unread: it cannot be told.
    """
    source = Path(mount.source)
    host = _status(source)
    if host is not None and (not stat.S_ISREG(host.st_mode) or _untouched_since(started, source)):
        return True
    with _seen(mount, pid, container) as there:
        status = None if there is None else os.fstat(there)
        if host is None or there is None or status is None:
            return host is None and (status is None or not stat.S_ISREG(status.st_mode))
        return _same_content(source, host, openat.content(there), status)


def _untouched_since(started: float, file: Path) -> bool:
    """Whether neither the file nor a folder above it was made, moved or changed since."""
    changed = [_status(path) for path in (file, *file.parents)]
    return all(status is not None and status.st_ctime < started for status in changed)


@contextmanager
def _seen(mount: Mount, pid: int, container: str) -> Iterator[int | None]:
    """What the container's process has at the mount's place, held open.

    Raises:
        Unread: this process may not look, or the place lies behind a link in the container.
    """
    try:
        with inside.process(pid) as process:
            mounted = inside.told(process, "mountinfo")
            owned = container in inside.told(process, "cgroup") + mounted
            places = {_unescaped(line.split()[4]) for line in mounted.splitlines()}
            root = os.open("root", openat.LISTED, dir_fd=process)
    except (OSError, IndexError) as error:
        raise Unread("only root may look into the container's process") from error
    with openat.held(root), openat.held(openat.folder(root, posixpath.dirname(mount.destination))) as above:
        if not owned:
            raise Unread("the container's process is not on this machine")
        if above is None or mount.destination not in places:
            raise Unread("the path leads through a link in the container")
        with openat.held(openat.opened(above, posixpath.basename(mount.destination))) as there:
            yield there


def _unescaped(path: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), path)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unread(f"{path} cannot be looked at: {error.strerror}") from error


def _same_content(host: Path, a: os.stat_result, there: str, b: os.stat_result) -> bool:
    if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino):
        return True
    if a.st_size != b.st_size or stat.S_IFMT(a.st_mode) != stat.S_IFMT(b.st_mode):
        return False
    if a.st_size > LARGEST_BYTES:
        raise Unread(f"it is larger than {LARGEST_BYTES >> 20} MiB")
    try:
        return _digest(host) == _digest(there)
    except OSError as error:
        raise Unread(f"it cannot be read: {error.strerror}") from error


def _digest(file: str | Path) -> bytes:
    return hashlib.sha256(Path(file).read_bytes()).digest()
