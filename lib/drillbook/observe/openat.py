"""Names opened one by one below an open folder, and no link followed: the openat(2) family.

For folders that someone else may change meanwhile. What a descriptor is, is asked of the
descriptor: no moment is left in which a link can take a file's place.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

NAME = getattr(os, "O_PATH", 0) | os.O_NOFOLLOW | os.O_CLOEXEC
"""Holds on to what a name is without opening it: no FIFO waits, no device wakes."""
FOLDER = NAME | os.O_DIRECTORY
LISTED = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def held(descriptor: int | None) -> Iterator[int | None]:
    """*descriptor*, closed at the end."""
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def folder(root: int, path: str) -> int | None:
    """The folder *path* below *root*, to be closed by the caller; None when it is gone, or a link is on the way."""
    found: int | None = os.dup(root)
    for part in (p for p in path.split("/") if p not in {"", "."}):
        with held(found) as above:
            found = None if above is None or part == ".." else opened(above, part, FOLDER)
    return found


def opened(above: int, name: str, how: int = NAME) -> int | None:
    """What *name* is now, to be closed by the caller; None when it has gone."""
    try:
        return os.open(name, how, dir_fd=above)
    except (FileNotFoundError, NotADirectoryError):
        return None


def named(above: int, name: str) -> str | None:
    r"""The name of the entry that the engine calls *name*: it writes `\ufffd` for each byte that is not UTF-8.

    None when no entry is called so, or several are.
    """
    if "\ufffd" not in name:
        return name
    found = [e for e, _ in entries(above) if os.fsencode(e).decode(errors="replace") == name]
    return found[0] if len(found) == 1 else None


def entries(above: int) -> list[tuple[str, bool]]:
    """Each name, and whether it is a folder."""
    with held(os.open(".", LISTED, dir_fd=above)) as listed, os.scandir(listed) as found:
        return [(e.name, e.is_dir(follow_symlinks=False)) for e in found]


def is_folder(above: int, name: str) -> bool:
    """Whether *name* is a folder and no link to one."""
    with held(opened(above, name, FOLDER)) as there:
        return there is not None


def is_link(above: int, name: str) -> bool:
    """Whether *name* is a link."""
    with held(opened(above, name)) as there:
        return there is not None and stat.S_ISLNK(os.fstat(there).st_mode)


def content(there: int) -> str:
    """The path at which the very file that is held as *there* can be opened, whatever its name is now."""
    return f"/proc/self/fd/{there}"
