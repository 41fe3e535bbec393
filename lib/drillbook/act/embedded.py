"""The practice database without an engine: a PostgreSQL server of our own, reached by a socket alone."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from drillbook.act import practice
from drillbook.act.cluster import Cluster, initialise, start, stop
from drillbook.act.site import state
from drillbook.errors import BadParameters, CommandFailed, RunbookError
from drillbook.observe.binaries import SERVER, at_least
from drillbook.observe.command import run, run_checked

OLDEST_MAJOR = 14
QUICK = {"fsync": "off"}  # a practice server; a crash of the machine may cost it
BREAKAGES = ("lost-schema",)


def up_embedded(rows: int = 0) -> dict[str, Any]:
    """The practice database, running and with the seed's content, whatever an earlier run left of it.

    Changes `sandbox/.state/embedded/` and a socket folder of its own, which
    `parameters/targets/embedded.yaml` reaches through the link `socket`.

    Raises:
        RunbookError: there is no PostgreSQL on this machine.
    """
    started = time.monotonic()
    cluster = _cluster()
    loaded = not (_running(cluster) or _started(cluster)) or _remembered() != [rows, _content(cluster)]
    if loaded:
        _make(cluster, rows)
    return {
        "target": "embedded", "folder": str(cluster.folder), "server": cluster.binaries.version, "loaded": loaded,
        **practice.shape(psql(cluster)), "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip


def down_embedded() -> None:
    """Stop the practice database and remove its folders; quiet when there is none."""
    if not _folder().is_dir():
        return
    if (_folder() / "data").is_dir():
        stop(_cluster())
    _remove_socket()
    shutil.rmtree(_folder())


def break_embedded(how: str) -> dict[str, Any]:
    """Lose the schema: the database is there, and empty.

    Raises:
        BadParameters: the embedded sandbox has no such breakage.
    """
    if how not in BREAKAGES:
        raise BadParameters(
            f"the embedded sandbox has no breakage {how!r}", f"without an engine there is: {', '.join(BREAKAGES)}"
        )
    started = time.monotonic()
    cluster = _cluster()
    if not _running(cluster):
        raise RunbookError("the embedded sandbox does not run", "drillbook sandbox up with ENGINE=embedded")
    _admin(cluster, "drop database if exists connect with (force)")
    _admin(cluster, "create database connect")
    return {"how": how, **practice.shape(psql(cluster)), "seconds": round(time.monotonic() - started, 1)}


def psql(cluster: Cluster, dbname: str = "connect") -> tuple[str, ...]:
    """The argv of psql for the practice server."""
    socket = str((_folder() / "socket").resolve())
    return (cluster.binaries.program("psql"), "-X", "-h", socket, "-p", "5432", "-U", "connect", "-d", dbname)


def _folder() -> Path:
    return state() / "embedded"


def _cluster() -> Cluster:
    return Cluster(at_least(_major(), SERVER), _folder(), "connect")


def _major() -> int:
    """The major version that the data folder was made with, or the oldest that will do."""
    file = _folder() / "data" / "PG_VERSION"
    return int(file.read_text()) if file.is_file() else OLDEST_MAJOR


def _running(cluster: Cluster) -> bool:
    return run((*psql(cluster, "postgres"), "-c", "select 1"), timeout=20).code == 0


def _started(cluster: Cluster) -> bool:
    """Start the server over the data that is there; False when it cannot be."""
    if not (cluster.data / "PG_VERSION").is_file():
        return False
    try:
        _start(cluster)
    except CommandFailed:
        return False  # what a cut run left; it is made anew
    return True


def _start(cluster: Cluster) -> None:
    _remove_socket()
    short = tempfile.mkdtemp(prefix="drillbook-", dir=os.environ.get("XDG_RUNTIME_DIR"))
    (cluster.folder / "socket").symlink_to(short)
    start(cluster, {**QUICK, "unix_socket_directories": short})


def _make(cluster: Cluster, rows: int) -> None:
    """Make the server anew, and load the seed."""
    down_embedded()
    cluster.folder.mkdir(parents=True, mode=0o700)
    cluster = _cluster()
    initialise(cluster)
    _start(cluster)
    _admin(cluster, "create database connect")
    practice.load(psql(cluster), rows)
    (cluster.folder / "seeded.json").write_text(json.dumps([rows, _content(cluster)]))


def _admin(cluster: Cluster, statement: str) -> None:
    run_checked((*psql(cluster, "postgres"), "-q", "-v", "ON_ERROR_STOP=1", "-c", statement), timeout=60)


def _content(cluster: Cluster) -> str:
    """The content's digest; empty when the database is not there."""
    try:
        return practice.content(psql(cluster))
    except CommandFailed:
        return ""


def _remembered() -> Any:
    file = _folder() / "seeded.json"
    return json.loads(file.read_text()) if file.is_file() else None


def _remove_socket() -> None:
    link = _folder() / "socket"
    if link.is_symlink():
        shutil.rmtree(link.resolve(), ignore_errors=True)
        link.unlink()
