"""Sessions to a target's PostgreSQL server, with every setting pinned that changes how a value is written."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import LiteralString

import psycopg
from psycopg import sql

from drillbook.errors import DatabaseDown, RunbookError
from drillbook.observe import engine
from drillbook.target import Database, Target, secret

CONNECT_SECONDS = 10
STATEMENT_SECONDS = 3600
PINNED = {
    "extra_float_digits": "3",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "xmlbinary": "base64",
    "search_path": "pg_catalog",
    "row_security": "off",
    "client_encoding": "UTF8",
    "idle_in_transaction_session_timeout": "0",
}
READING = {**PINNED, "default_transaction_read_only": "on", "statement_timeout": f"{STATEMENT_SECONDS}s"}
LOOK_CONNECT_SECONDS = 3
LOOK_STATEMENT_SECONDS = 2.0
LOOK_LOCK_SECONDS = 0.5
LOOK_SECONDS = 20.0
"""A look that takes longer than this is cut off by us: a paused server answers no timeout of its own."""
LOOKING = {
    **READING,
    "statement_timeout": f"{LOOK_STATEMENT_SECONDS * 1000:.0f}ms",
    "lock_timeout": f"{LOOK_LOCK_SECONDS * 1000:.0f}ms",
    "idle_in_transaction_session_timeout": "5s",
}


@dataclass(frozen=True)
class Place:
    """Where a database is reached from this host, and as whom. The password is kept out of `repr`."""

    host: str
    port: int
    user: str
    dbname: str
    password: str = field(default="", repr=False)


def declared(target: Target, key: str) -> Database:
    """The database called *key* in the target's file.

    Raises:
        RunbookError: there is none.
    """
    if key not in target.databases:
        known = ", ".join(sorted(target.databases)) or "none"
        raise RunbookError(f"target {target.name} has no database {key!r}", f"its databases are: {known}")
    return target.databases[key]


def place(target: Target, key: str, *, dbname: str | None = None) -> Place:
    """How to reach the database *key*; *dbname* names another one on the same server.

    Raises:
        DatabaseDown: its service's container is not running.
    """
    database = declared(target, key)
    host = _host(target, database)
    password = secret(database.password, target)
    return Place(host, database.port, database.user, dbname or database.dbname, password)


def _host(target: Target, database: Database) -> str:
    if database.host:
        return str(target.path(database.host)) if "/" in database.host else database.host
    container = engine.container_of(target, database.service)
    if not container.running or not container.address:
        raise DatabaseDown(
            f"the container of service {database.service} is not running",
            f"docker logs {container.name} tells why; start it with docker start {container.name}",
        )
    return container.address


def connect(target: Target, key: str, *, dbname: str | None = None) -> psycopg.Connection:
    """A reading session: pinned settings, read only, every wait bounded. Changes nothing.

    Raises:
        DatabaseDown: the server does not answer, or does not let us in.
    """
    return session(place(target, key, dbname=dbname), READING)


@contextmanager
def looking(target: Target, key: str, seconds: float = LOOK_SECONDS) -> Iterator[psycopg.Connection]:
    """A session that holds nothing up: each statement a transaction of its own, short waits, read only.

    It is cut off after *seconds*; what was asked of it then ends in `psycopg.OperationalError`.

    Raises:
        DatabaseDown: the server does not answer, or does not let us in.
    """
    connection = session(place(target, key), LOOKING, LOOK_CONNECT_SECONDS)
    connection.autocommit = True
    guard = threading.Timer(seconds, _cut, (connection,))
    guard.daemon = True
    guard.start()
    try:
        yield connection
    finally:
        guard.cancel()
        connection.close()


def _cut(connection: psycopg.Connection) -> None:
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)


def session(where: Place, settings: Mapping[str, str], connect_seconds: int = CONNECT_SECONDS) -> psycopg.Connection:
    """A session at *where* with *settings* made for its whole life; no statement takes over an hour unless they say so.

    Raises:
        DatabaseDown: the server does not answer, or does not let us in.
    """
    try:
        connection = psycopg.connect(
            host=where.host, port=where.port, user=where.user, dbname=where.dbname,
            password=where.password or None, connect_timeout=connect_seconds, application_name="drillbook",
            autocommit=True,
        )  # fmt: skip
        for name, value in {"statement_timeout": f"{STATEMENT_SECONDS}s", **settings}.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    except psycopg.OperationalError as error:
        raise DatabaseDown(
            f"database {where.dbname} at {where.host}:{where.port} does not answer: {said(error)}",
            "see that the server runs and that the target's user and password are right; diagnose says more",
        ) from error
    connection.autocommit = False
    return connection


def said(error: psycopg.Error) -> str:
    """The last line of what the server, or the library, says of *error*."""
    if error.diag.message_primary:
        return error.diag.message_primary
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def server_version(connection: psycopg.Connection) -> str:
    """The server's version as it tells it: `16.14`, `18.4 (Debian …)`."""
    return one(connection, "SHOW server_version")


def system_identifier(connection: psycopg.Connection) -> str:
    """The number that initdb gave the server's data directory; empty when we may not ask."""
    try:
        with connection.transaction():
            return one(connection, "SELECT system_identifier::text FROM pg_control_system()")
    except psycopg.errors.InsufficientPrivilege:
        return ""


def data_directory(connection: psycopg.Connection) -> str:
    """Where the server keeps its files, as itself sees it; empty when we may not ask (pg_read_all_settings may)."""
    return one(connection, "SELECT setting FROM pg_settings WHERE name = 'data_directory'")


def tablespaces(connection: psycopg.Connection) -> dict[str, str]:
    """name → folder, as the server sees it, of each tablespace that lies outside of the data directory."""
    query = "SELECT spcname, pg_tablespace_location(oid) FROM pg_tablespace ORDER BY spcname"
    return {str(name): str(folder) for name, folder in connection.execute(query) if str(folder).startswith("/")}


def bootstrap_user(connection: psycopg.Connection) -> str:
    """The role that initdb made: memberships given by any superuser are recorded as given by it."""
    return one(connection, "SELECT rolname FROM pg_roles WHERE oid = 10")


def is_superuser(connection: psycopg.Connection) -> bool:
    """Whether our user may read everything, role passwords included."""
    return one(connection, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == "True"


def one(connection: psycopg.Connection, query: LiteralString | sql.SQL | sql.Composed) -> str:
    """The single value of *query* as text; empty for none."""
    row = connection.execute(query).fetchone()
    return "" if row is None or row[0] is None else str(row[0])
