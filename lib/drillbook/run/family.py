"""The processes of a run: everything below it, and everything that carries its folder in its environment."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

GRACE_SECONDS = 8.0
_PROC = Path("/proc")


def of(root: int, folder: Path) -> set[int]:
    """The living descendants of *root*, and processes started with *folder* as their DRILLBOOK_RUN_DIR.

    Changes nothing. The second kind are those that left the tree by forking twice.
    """
    parents = _parents()
    found = {pid for pid in parents if pid != root and _marked(pid, folder)}
    while more := {pid for pid, parent in parents.items() if parent in found | {root}} - found:
        found |= more
    return found - {os.getpid(), root}


def end(root: int, folder: Path, grace_seconds: float = GRACE_SECONDS) -> None:
    """End them all: asked first, so that they may journal and clean up; killed after the grace."""
    deadline = time.monotonic() + grace_seconds
    asked: set[int] = set()
    while (alive := of(root, folder)) and time.monotonic() < deadline:
        for pid in alive - asked:
            _signal(pid, signal.SIGTERM)
        asked |= alive
        time.sleep(0.1)
    for _ in range(20):
        if not (alive := of(root, folder)):
            return
        for pid in alive:
            _signal(pid, signal.SIGKILL)
        time.sleep(0.05)


def adopt_orphans() -> None:
    """Make this process the parent of every descendant that loses its own (Linux only)."""
    if _PROC.joinpath("self/stat").exists():
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def _parents() -> dict[int, int]:
    """The parent of every living process; those that ended and wait to be reaped are left out."""
    if not _PROC.joinpath("self/stat").exists():
        said = subprocess.run(["ps", "-axo", "pid=,ppid="], check=True, capture_output=True, text=True, timeout=10)
        return {int(pid): int(parent) for pid, parent in (line.split() for line in said.stdout.splitlines())}
    found = {}
    for entry in _PROC.iterdir():
        if entry.name.isdecimal() and (stat := _read(entry / "stat")):
            state, parent = stat.rpartition(b")")[2].split()[:2]
            if state not in (b"Z", b"X"):
                found[int(entry.name)] = int(parent)
    return found


def _marked(pid: int, folder: Path) -> bool:
    return f"DRILLBOOK_RUN_DIR={folder}".encode() in _read(_PROC / str(pid) / "environ").split(b"\0")


def _read(file: Path) -> bytes:
    """A file of /proc; empty when its process is gone or another user's."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return
