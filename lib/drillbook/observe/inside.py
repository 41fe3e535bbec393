"""What a running container's process sees, read through /proc where the engine runs on this machine.

It takes no lock of the engine's, and it is the truth where a bind's source was
replaced on the host since: a mount shows what was there when it was made.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drillbook.observe.digests import sha256
from drillbook.observe.names import printable


@dataclass(frozen=True)
class Seen:
    """One file inside: its digest, when it last changed (the later of mtime and ctime), and its path here."""

    digest: str
    changed: float
    place: Path


def root_of(engine: Any, container: str) -> Path | None:
    """The root of *container* as its process sees it; None where that is not on this machine, or not ours to read."""
    state = engine.api.inspect_container(container)["State"]
    root = Path(f"/proc/{state.get('Pid') or 0}/root")
    try:
        mounts = (root.parent / "mountinfo").read_text()
        return root if container in mounts and os.access(root / ".", os.R_OK | os.X_OK) else None
    except OSError:
        return None


def safely(root: Path, path: str) -> Path | None:
    """*path* below *root*; None when a link on the way would lead out of the container."""
    place = root
    for part in path.strip("/").split("/"):
        place = place / part
        if place.is_symlink():
            return None
    return place


def named(folder: Path, name: str) -> Path | None:
    r"""The entry of *folder* that the engine calls *name*: it writes `\ufffd` for each byte that is not UTF-8.

    None when no entry is called so, or several are.
    """
    if "\ufffd" not in name:
        return folder / name
    try:
        with os.scandir(folder) as entries:
            found = [Path(e.path) for e in entries if os.fsencode(e.name).decode(errors="replace") == name]
    except OSError:
        return None
    return found[0] if len(found) == 1 else None


def look(place: Path, most_bytes: int) -> Seen | None:
    """The file or link at *place*; None for anything else, for what has gone, and for more than *most_bytes*."""
    try:
        stat = place.lstat()
        if not (place.is_symlink() or place.is_file()) or stat.st_size > most_bytes:
            return None
        return Seen(sha256(place), max(stat.st_mtime, stat.st_ctime), place)
    except OSError:
        return None


def walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """The printable path below *folder*, and the path here, of every file and link."""
    for place, folders, files in os.walk(folder):
        links = [name for name in folders if Path(place, name).is_symlink()]
        for name in (*files, *links):
            path = os.path.join(place, name)  # noqa: PTH118 - keeps odd bytes
            yield printable(os.path.relpath(path, folder)), Path(path)
