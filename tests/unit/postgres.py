"""A real PostgreSQL server for the tests, from the programs on this machine, reached by a socket."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from drillbook.act import cluster as clusters
from drillbook.act.cluster import Cluster
from drillbook.observe import binaries
from drillbook.target import Target, parse_target

MEMORY, ROOM_BYTES = Path("/dev/shm"), 2 * 1024**3


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Cluster]:
    """A running server of the newest installed version; its user is `keeper`."""
    with running(binaries.installed(binaries.SERVER)[-1]) as cluster:
        yield cluster


def roomy() -> str | None:
    """A folder in memory, where there is one with room; a test makes and drops a database, which is 300 files.

    On ext4 that costs 1.6 times the system's time.
    """
    return str(MEMORY) if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES else None


@contextmanager
def running(found: binaries.Binaries, user: str = "keeper") -> Iterator[Cluster]:
    """A server of these programs, gone at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="drillbook-t-", dir=roomy()) as folder:
        cluster = Cluster(found, Path(folder), user)
        clusters.initialise(cluster)
        clusters.start(cluster, clusters.FAST)
        try:
            yield cluster
        finally:
            clusters.stop(cluster)


@pytest.fixture
def database(postgres_server: Cluster) -> Iterator[str]:
    """An empty database of its own for one test."""
    name = f"t_{uuid4().hex[:10]}"
    with writer(postgres_server, "postgres") as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield name
    with writer(postgres_server, "postgres") as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", (f"{name}%",)).fetchall()
        for row in rows:
            connection.execute(f'DROP DATABASE "{row[0]}" WITH (FORCE)')


@pytest.fixture
def target(postgres_server: Cluster, database: str, tmp_path: Path) -> Target:
    """A target without a stack, whose one database is `database`; its vault lies in the test's folder."""
    raw = {
        "name": "unit",
        "databases": {
            "main": {"host": str(postgres_server.folder), "dbname": database, "user": "keeper"},
        },
        "backup": {"vault": str(tmp_path / "vault")},
    }
    return parse_target(raw, tmp_path / "unit.yaml")


def writer(server: Cluster, dbname: str) -> psycopg.Connection:
    """A writing session with autocommit on."""
    return psycopg.connect(host=str(server.folder), port=server.port, user="keeper", dbname=dbname, autocommit=True)


def is_root() -> bool:
    """Whether the tests may mount."""
    return os.geteuid() == 0
