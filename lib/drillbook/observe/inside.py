"""What a running container's process sees, read through /proc where the engine runs on this machine.

It takes no lock of the engine's, and it is the truth where a bind's source was
replaced on the host since: a mount shows what was there when it was made.

The container is not trusted: an absolute link in it would lead through /proc to a file of the host's.
So no link is followed; see openat.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from drillbook.observe.names import printable
from drillbook.observe.openat import FOLDER, LISTED, content, entries, folder, held, opened

CHUNK = 1 << 20


@dataclass(frozen=True)
class Seen:
    """One file inside: its digest, when it last changed (the later of mtime and ctime), and what was kept of it."""

    digest: str
    changed: float
    content: bytes = b""


def root_of(engine: Any, container: str) -> int | None:
    """The root of *container* as its process sees it, to be closed by the caller.

    None where the process is not on this machine, or not ours to read.
    """
    try:
        with process(int(engine.api.inspect_container(container)["State"].get("Pid") or 0)) as there:
            return os.open("root", LISTED, dir_fd=there) if container in told(there, "mountinfo") else None
    except OSError:
        return None


@contextmanager
def process(pid: int) -> Iterator[int]:
    """The folder of process *pid* in /proc; a later process of the same number is never taken for it.

    Raises:
        OSError: there is no such process, here or in what is asked of it later.
    """
    there = os.open(f"/proc/{pid}", FOLDER)
    try:
        yield there
    finally:
        os.close(there)


def told(there: int, name: str) -> str:
    """What the kernel says of a process in its file *name*."""
    with open(os.open(name, os.O_RDONLY, dir_fd=there), errors="surrogateescape") as file:  # noqa: PTH123
        return file.read()


def look(above: int, name: str, most_bytes: int, kept_bytes: int = 0) -> Seen | None:
    """The file or link *name*, with its content when it has no more than *kept_bytes*.

    None for anything else, for what has gone, and for more than *most_bytes*. A link is its target's name.

    Raises:
        OSError: it may not be read.
    """
    with held(opened(above, name)) as there:
        if there is None:
            return None
        status = os.fstat(there)
        changed = max(status.st_mtime, status.st_ctime)
        if stat.S_ISLNK(status.st_mode):
            return Seen(hashlib.sha256(os.fsencode(os.readlink("", dir_fd=there))).hexdigest(), changed)
        if not stat.S_ISREG(status.st_mode) or status.st_size > most_bytes:
            return None
        return _read(there, changed, most_bytes, kept_bytes)


def _read(there: int, changed: float, most_bytes: int, kept_bytes: int) -> Seen | None:
    digest, kept, size = hashlib.sha256(), list[bytes](), 0
    with open(content(there), "rb") as file:  # noqa: PTH123
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            kept += [chunk] if size <= kept_bytes else []
            if size > most_bytes:
                return None
    return Seen(digest.hexdigest(), changed, b"".join(kept) if size <= kept_bytes else b"")


def walk(top: int) -> Iterator[tuple[str, int, str]]:
    """The printable path below *top*, the folder it lies in, and the name, of every entry, folders too.

    The folder is open until the next entry is asked for.

    Raises:
        OSError: a folder may not be read.
    """
    waiting = [""]
    while waiting:
        path = waiting.pop()
        with held(folder(top, path)) as above:
            for name, is_dir in entries(above) if above is not None else ():
                below = f"{path}/{name}" if path else name
                waiting += [below] if is_dir else []
                assert above is not None
                yield printable(below), above, name
