"""Which of the host's paths, mounted into a container, would let it act on the host."""

from __future__ import annotations

import posixpath
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HOSTS = ("/dev", "/proc", "/run", "/sys", "/var/run", "/var/lib/docker")
"""Folders in which the host's own sockets, devices and engine lie."""


def leading_out(config: Mapping[str, Any]) -> frozenset[str]:
    """The bind sources of a compose file, as compose renders it, that lead out of a container. Changes nothing.

    They are sockets, folders that hold one, and the host's own. Read-only is no help: a socket is written to all the
    same.
    """
    binds = {
        m["source"] for body in config["services"].values() for m in body.get("volumes") or () if m["type"] == "bind"
    }
    return frozenset(source for source in binds if _leads_out(source))


def _leads_out(source: str) -> bool:
    path = posixpath.normpath(source)
    if path == "/" or any(f"{path}/".startswith(f"{host}/") or host.startswith(f"{path}/") for host in HOSTS):
        return True
    place = Path(path)
    try:
        return stat.S_ISSOCK(place.stat().st_mode) or (place.is_dir() and any(p.is_socket() for p in place.iterdir()))
    except OSError:
        return False
