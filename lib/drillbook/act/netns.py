"""Stepping into the network of a container: from there this thread reaches what the container reaches, and no more."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from drillbook.errors import StepFailed

NEWNET = 0x40000000
HERE = "/proc/thread-self/ns/net"


def is_possible() -> bool:
    """Whether this process may step into another network: it is root's, on Linux. Changes nothing."""
    if sys.platform != "linux":
        return False
    handle = os.open(HERE, os.O_RDONLY)
    try:
        _enter(handle)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


class Net:
    """The network of a container, and the way back. Threads that are begun inside stay there."""

    def __init__(self, pid: int, container: str) -> None:
        """The network of *container*, whose first process is *pid*.

        Raises:
            StepFailed: that process is another one: the engine counts in a place that cannot be seen from here.
        """
        try:
            ours = container in Path(f"/proc/{pid}/cgroup").read_text()
        except OSError:
            ours = False
        if not ours:
            raise StepFailed(f"process {pid} of container {container[:12]} cannot be seen from here",
                             "run drillbook where the engine runs, not in a container")  # fmt: skip
        self._here, self._there = os.open(HERE, os.O_RDONLY), os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        self.inside = False

    def go(self, *, inside: bool) -> None:
        """Step in, or out; where it is already there, nothing."""
        if inside != self.inside:
            _enter(self._there if inside else self._here)
            self.inside = inside

    def close(self) -> None:
        """Step out for good."""
        self.go(inside=False)
        os.close(self._here)
        os.close(self._there)


def _enter(handle: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(handle, NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
