"""What a container's own layer changed, added or removed below a folder: from the overlay itself, or from the engine.

`docker diff` walks the image beside the container and holds the container's lock meanwhile (moby,
daemon/changes.go): 1.7 s with 50,000 files. An overlay's upper folder holds the changes alone; its
marks are those of Documentation/filesystems/overlayfs.rst of the kernel.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Literal

from drillbook.observe.openat import FOLDER, entries, held, opened

Kind = Literal["changed", "replaced", "removed"]
"""`changed`: a file or a link, of the engine's also a folder; `replaced`: a folder that hides all of the image's."""
Changes = dict[str, Kind]
"""A path below the folder as the file system or the engine spells it, empty for the folder itself → its kind."""
CAP_SYS_ADMIN = 21
REMOVED = 2
CODE = (stat.S_IFREG, stat.S_IFLNK)


def changes(engine: Any, container: str, folder: str, *, here: bool) -> Changes:
    """Everything at and below *folder* that the layer holds otherwise than its image; *here*: it is on this machine.

    Changes nothing.
    """
    found = _upper(engine, container, folder) if here else None
    return found if found is not None else _told(engine, container, folder)


def _told(engine: Any, container: str, folder: str) -> Changes:
    """The same as the engine tells it."""
    found, top = Changes(), f"{folder.rstrip('/')}/"
    for row in engine.api.diff(container) or []:
        kind: Kind = "removed" if row["Kind"] == REMOVED else "changed"
        if row["Path"].startswith(top):
            found[row["Path"].removeprefix(top)] = kind
        elif kind == "removed" and top.startswith(f"{row['Path']}/"):
            found[""] = kind
    return found


def _upper(engine: Any, container: str, folder: str) -> Changes | None:
    """The same from the overlay's upper folder; None where there is none, or it cannot be read whole."""
    driver = engine.api.inspect_container(container).get("GraphDriver") or {}
    place = (driver.get("Data") or {}).get("UpperDir", "") if (driver.get("Name") or "").startswith("overlay") else ""
    if not place or not _sees_marks():
        return None
    with suppress(OSError), held(os.open(place, FOLDER)) as top:
        assert top is not None
        found = Changes(_below(top, [part for part in folder.split("/") if part], ""))
        return None if REDIRECTED in found else found
    return None


REDIRECTED = "/"
"""Stands for a folder that was renamed within the overlay, whose files are told elsewhere; no path is so called."""


def _sees_marks() -> bool:
    """Whether this process may read what the kernel marks a folder of an overlay with."""
    with suppress(OSError, ValueError, StopIteration), open("/proc/self/status") as status:  # noqa: PTH123
        own = next(line.split()[1] for line in status if line.startswith("CapEff:"))
        return bool(int(own, 16) >> CAP_SYS_ADMIN & 1)
    return False


def _below(above: int, way: list[str], path: str) -> Iterator[tuple[str, Kind]]:
    """What the open folder *above* holds; while there is a *way* to go, only what stands on it."""
    if _mark(above, "redirect"):
        yield REDIRECTED, "replaced"
    if _mark(above, "opaque") == b"y":
        yield path, "replaced"
    for name in way[:1] or [name for name, _ in entries(above)]:
        below = "" if way else f"{path}/{name}" if path else name
        with held(opened(above, name)) as there:
            kind = _kind(there, is_way=bool(way))
        if kind:
            yield below, kind
        with held(opened(above, name, FOLDER)) as inner:
            if inner is not None:
                yield from _below(inner, way[1:], below)


def _kind(there: int | None, *, is_way: bool) -> Kind | None:
    """What an entry of the layer means; None for a folder, for what has gone, and for pipes, sockets and devices."""
    if there is None:
        return None
    status = os.fstat(there)
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
        return "removed"
    if is_way and not stat.S_ISDIR(status.st_mode):
        return "removed"  # something else has the folder's name now
    return "changed" if stat.S_IFMT(status.st_mode) in CODE else None


def _mark(folder: int, name: str) -> bytes:
    """The overlay's own attribute *name* of an open folder; empty where it has none."""
    for space in ("trusted", "user"):
        with suppress(OSError):
            return os.getxattr(f"/proc/self/fd/{folder}", f"{space}.overlay.{name}")
    return b""
