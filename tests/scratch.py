"""Where the servers live that the tests' drills start: in memory, where it has room.

A server's files are made and removed by the thousand. Before ext4 makes one it looks, where it keeps no journal, at
each that was removed in the last minutes: a quarter of the CPU of such tests (`recently_deleted` in `perf report`).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 2 << 30
"""Bytes that must be free there: `make test` with three workers used 246 MB at most."""


@contextmanager
def in_memory() -> Iterator[None]:
    """Within it temporary files are in memory, here and in every child; pytest's own folders stay where they are.

    Nothing changes where TMPDIR is set, or memory has no room for them.
    """
    if "TMPDIR" in os.environ or not _has_room():
        yield
        return
    disk, folder = tempfile.gettempdir(), tempfile.mkdtemp(prefix="drillbook-tests-", dir=MEMORY)
    Path(folder).chmod(0o1777)  # as /tmp: servers of other users live in it
    os.environ |= {"TMPDIR": folder, "PYTEST_DEBUG_TEMPROOT": os.environ.get("PYTEST_DEBUG_TEMPROOT", disk)}
    tempfile.tempdir = None
    try:
        yield
    finally:
        del os.environ["TMPDIR"]
        tempfile.tempdir = None
        shutil.rmtree(folder, ignore_errors=True)


def _has_room() -> bool:
    return MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM
