"""Who does something: a process, told apart from every later one with its number."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

INITIAL_NAMESPACE = "pid:[4026531836]"


@dataclass(frozen=True)
class Holder:
    """A process of a user on a host; `pid_started` is `machine/boot/pid namespace/start`."""

    host: str
    user: str
    pid: int
    pid_started: str

    def __str__(self) -> str:
        return f"{self.user}@{self.host}, process {self.pid}"


def me() -> Holder:
    """This process."""
    return of(os.getpid())


def of(pid: int) -> Holder:
    """The process *pid* of this host, as a holder."""
    return Holder(socket.gethostname(), _user(), pid, "/".join([*_place(), started(pid)]))


def gone(holder: Holder) -> bool:
    """True only when *holder* provably no longer runs: ended, or its host has been started anew.

    Changes nothing. Another host, or another pid namespace, proves nothing.
    """
    machine, boot, namespace, start = (holder.pid_started.split("/") + [""] * 4)[:4]
    here = _place()
    if holder.host != socket.gethostname() or machine != here[0] or not start:
        return False
    if boot != here[1]:
        return namespace == here[2] == INITIAL_NAMESPACE
    return namespace == here[2] and started(holder.pid) != start


def started(pid: int) -> str:
    """When *pid* started, in its system's own words; empty when no such process runs."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "" if Path("/proc/self/stat").exists() else _started_by_ps(pid)
    return "" if after_name[0] in "ZX" else after_name[19]


def _started_by_ps(pid: int) -> str:
    argv = ["ps", "-o", "lstart=", "-p", str(pid)]
    said = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=10)
    return said.stdout.strip()


@cache
def _place() -> tuple[str, str, str]:
    """This machine, its boot, and the pid namespace that this process counts in."""
    machine = _first_line("/etc/machine-id")[:12]
    boot = _first_line("/proc/sys/kernel/random/boot_id")
    namespace = Path("/proc/self/ns/pid")
    return machine, boot, str(namespace.readlink()) if namespace.is_symlink() else INITIAL_NAMESPACE


def _first_line(file: str) -> str:
    try:
        return Path(file).read_text().strip()
    except OSError:
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
