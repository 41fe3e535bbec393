"""One path of a container, asked of the engine: its stat without content, and a single small file."""

from __future__ import annotations

import base64
import json
import posixpath
from dataclasses import dataclass
from typing import Any

from drillbook.observe.files import read_tar
from drillbook.observe.names import printable

IS_FOLDER = 1 << 31
"""Go's os.ModeDir."""


@dataclass(frozen=True)
class Stat:
    """What the engine says of a path."""

    bytes: int
    is_folder: bool


def stat_of(engine: Any, container: str, path: str) -> Stat | None:
    """What the engine says of *path*, without its content; None where there is none."""
    api = engine.api
    answer = api.head(api._url("/containers/{0}/archive", container), params={"path": path}, timeout=30)
    told = answer.headers.get("X-Docker-Container-Path-Stat", "")
    if not answer.ok or not told:
        return None
    seen = json.loads(base64.b64decode(told))
    return Stat(int(seen["size"]), bool(seen["mode"] & IS_FOLDER))


def file_of(engine: Any, container: str, path: str) -> tuple[str, float, bytes]:
    """The sha256, the time of the last change and the content of one small file; it holds the container that long."""
    chunks, _ = engine.api.get_archive(container, path)
    name = printable(posixpath.basename(path))
    found = read_tar(iter(chunks), "", {name})
    return found.files.get(name, ""), float(found.stamps.get(name, (0, 0))[1]), found.wanted.get(name, b"")
