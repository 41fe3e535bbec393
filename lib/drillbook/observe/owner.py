"""Who holds something that must not outlive its process: a partial backup, a scratch server."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path


def ourselves() -> dict[str, str]:
    """This process: host, pid and the moment it started, which tells it from a later one of the same pid."""
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": str(pid), "pid_started": _started(pid)}


def is_gone(owner: Mapping[str, str]) -> bool:
    """Whether the owner certainly runs no more. One on another host is never called gone."""
    if owner.get("host") != socket.gethostname() or not owner.get("pid", "").isdigit():
        return False
    return _started(int(owner["pid"])) != owner.get("pid_started", "")


def _started(pid: int) -> str:
    """The process's start in clock ticks since boot, field 22 of its stat; empty when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
