"""A PostgreSQL cluster of our own in a folder, from local programs, reached by a socket only."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from drillbook.errors import RunbookError
from drillbook.observe.binaries import Binaries
from drillbook.observe.command import run, run_checked

Mode = Literal["immediate", "fast"]
START_SECONDS = 60
FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "synchronous_commit": "off",
    "checkpoint_timeout": "1h",
    "max_wal_size": "2GB",
    "shared_buffers": "256MB",
    "maintenance_work_mem": "128MB",
}
"""For a server that is thrown away: no durability, and a restore in large strides (a drill takes 3 % less)."""


@dataclass(frozen=True)
class Cluster:
    """A cluster's programs and folders. `folder` also holds its socket, so keep its path short.

    `owner` goes before its programs' argv, for files that another user owns.
    """

    binaries: Binaries
    folder: Path
    user: str
    port: int = 5432
    owner: tuple[str, ...] = ()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def argv(self, program: str, *words: str) -> tuple[str, ...]:
        """One of its programs on its data folder, as a user that is not root."""
        return (*(self.owner or unprivileged()), self.binaries.program(program), "-D", str(self.data), *words)


def unprivileged() -> tuple[str, ...]:
    """What goes before a server's argv: nothing, or as root a user namespace, for postgres refuses uid 0.

    Raises:
        RunbookError: we are root and no user namespace can be had.
    """
    if os.geteuid() != 0:
        return ()
    words = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
    if shutil.which("unshare") is None or run([*words, "true"], timeout=20).code != 0:
        raise RunbookError(
            "postgres does not run as root, and this machine allows no user namespaces",
            "run drillbook as an ordinary user, or allow unprivileged user namespaces",
        )
    return words


def initialise(cluster: Cluster) -> None:
    """Make the cluster's data folder: UTF-8, trust on the socket.

    Raises:
        CommandFailed: initdb said no.
    """
    argv = cluster.argv(
        "initdb", "-U", cluster.user, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"
    )
    run_checked(argv, timeout=120, env=_environment(), hint="the folder must be writable, with 50 MB free")


def start(cluster: Cluster, settings: dict[str, str]) -> None:
    """Start the cluster and wait until it answers, 60 s at most.

    Raises:
        CommandFailed: it did not come up; its log lies in the folder.
    """
    argv = start_words(cluster, settings)
    run_checked(argv, timeout=START_SECONDS + 10, env=_environment(), hint=f"{cluster.folder / 'log'} tells why")


def start_words(cluster: Cluster, settings: Mapping[str, str]) -> tuple[str, ...]:
    """The argv that starts the cluster."""
    own = {"listen_addresses": "", "unix_socket_directories": str(cluster.folder), "port": str(cluster.port)}
    options = " ".join(f"-c {name}='{value}'" for name, value in {**own, **settings}.items())
    log, seconds = str(cluster.folder / "log"), str(START_SECONDS)
    return cluster.argv("pg_ctl", "-w", "-t", seconds, "-l", log, "-o", options, "start")


def stop(cluster: Cluster, mode: Mode = "immediate") -> None:
    """Stop the cluster at once, or *fast* with its data in order; be quiet when it does not run."""
    run(stop_words(cluster, mode), timeout=START_SECONDS, env=_environment())


def stop_words(cluster: Cluster, mode: Mode = "immediate") -> tuple[str, ...]:
    """The argv that stops the cluster."""
    return cluster.argv("pg_ctl", "-m", mode, "-w", "stop")


def _environment() -> dict[str, str]:
    """Ours without libpq's variables: they would point the programs at another server."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PG")}
