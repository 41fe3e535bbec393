"""Rename databases under an application's feet: sessions ended, and the names swapped in one transaction."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import psycopg
from psycopg import sql

from drillbook.errors import RunbookError
from drillbook.observe import marks
from drillbook.observe.kept import ours
from drillbook.observe.server import PINNED, one, place, session
from drillbook.target import Target

QUIET_SECONDS, POLL_SECONDS = 30, 0.05
ENDED = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = ANY(%s) AND pid <> pg_backend_pid()"
)


def writer(target: Target, key: str, dbname: str | None = None) -> psycopg.Connection:
    """A writing session with autocommit on; without *dbname* in a database that is none of the target's.

    Raises:
        DatabaseDown: the server does not answer.
    """
    own = target.databases[key].dbname
    connection = session(
        place(target, key, dbname=dbname or ("template1" if own == "postgres" else "postgres")), PINNED
    )
    connection.autocommit = True
    return connection


def exists(connection: psycopg.Connection, name: str) -> bool:
    """Whether the server has the database *name*."""
    return oid(connection, name) != ""


def oid(connection: psycopg.Connection, name: str) -> str:
    """The database's oid, which no rename changes; empty when there is none."""
    return one(connection, sql.SQL("SELECT oid FROM pg_database WHERE datname = {}").format(sql.Literal(name)))


def rename(
    connection: psycopg.Connection, pairs: tuple[tuple[str, str], ...], comments: Mapping[str, str] | None = None
) -> None:
    """Rename all or none; *comments* are put on databases by their new names."""
    with connection.transaction():
        for old, new in pairs:
            statement = sql.SQL("ALTER DATABASE {} RENAME TO {}")
            connection.execute(statement.format(sql.Identifier(old), sql.Identifier(new)))
        for name, comment in (comments or {}).items():
            set_comment(connection, name, comment)


def swap(
    target: Target, key: str, pairs: tuple[tuple[str, str], ...], comments: Mapping[str, str] | None = None
) -> None:  # fmt: skip
    """`rename` on the server of *key*, with whoever is in these databases put out; none gets in until it is done.

    A rename waits for those who are in, and others wait for it. Killed at any moment, all is done or nothing.

    Raises:
        RunbookError: someone is still in one of them after 30 s.
    """
    _alone(target, key, tuple(old for old, _ in pairs), lambda connection: rename(connection, pairs, comments))


def remove(target: Target, key: str, name: str) -> None:
    """Drop the database *name* on the server of *key*, with whoever is in it put out.

    Raises:
        RunbookError: someone is still in it after 30 s.
    """
    statement = sql.SQL("DROP DATABASE {}").format(sql.Identifier(name))
    _alone(target, key, (name,), lambda connection: connection.execute(statement))


def _alone(target: Target, key: str, names: tuple[str, ...], change: Callable[[psycopg.Connection], object]) -> None:
    deadline = time.monotonic() + QUIET_SECONDS
    with writer(target, key) as connection, _ending(target, key, names):
        while True:
            try:
                change(connection)
            except psycopg.errors.ObjectInUse as error:
                if time.monotonic() > deadline:
                    raise RunbookError(
                        f"someone is still connected to {' or '.join(names)} after {QUIET_SECONDS} s",
                        "nothing was changed; stop what connects, then run this again",
                    ) from error
            else:
                return


@contextmanager
def _ending(target: Target, key: str, names: tuple[str, ...]) -> Iterator[None]:
    """Within, every session in these databases is ended, again and again."""
    done = threading.Event()

    def end(connection: psycopg.Connection) -> None:
        with suppress(psycopg.Error):
            while not done.wait(POLL_SECONDS):
                connection.execute(ENDED, (list(names),))

    with writer(target, key) as connection:
        thread = threading.Thread(target=end, args=(connection,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def comment_of(connection: psycopg.Connection, name: str) -> str:
    """The comment on the database *name*; empty for none."""
    query = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = {}"
    return one(connection, sql.SQL(query).format(sql.Literal(name)))


def set_comment(connection: psycopg.Connection, name: str, comment: str) -> None:
    """Put *comment* on the database *name*; an empty one takes it away."""
    statement = sql.SQL("COMMENT ON DATABASE {} IS {}")
    connection.execute(statement.format(sql.Identifier(name), sql.Literal(comment or None)))


def reopen(connection: psycopg.Connection, names: tuple[str, ...], target: Target) -> None:
    """Let sessions again into those of these, and of what was kept for *target*, that something cut had closed."""
    closed_ones = connection.execute("SELECT datname FROM pg_database WHERE NOT datallowconn").fetchall()
    for (name,) in closed_ones:
        if name in names or ours(marks.read(comment_of(connection, name)), name, target):
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(sql.Identifier(name)))
