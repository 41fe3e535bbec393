"""Rename databases under an application's feet: connections closed, names swapped in one transaction, open again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from drillbook.act.executor import Context, verb
from drillbook.decide.plan import Step
from drillbook.errors import RunbookError
from drillbook.observe import marks
from drillbook.observe.kept import ours
from drillbook.observe.server import PINNED, one, place, session
from drillbook.target import Target

QUIET_SECONDS = 30


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


@contextmanager
def closed(connection: psycopg.Connection, names: tuple[str, ...]) -> Iterator[None]:
    """Within, nobody can be or get into these databases; afterwards, under whatever name, they are open again.

    Raises:
        RunbookError: someone is still in one of them after 30 s.
    """
    oids = {oid(connection, name) for name in names} - {""}
    try:
        for name in names:
            if exists(connection, name):
                _allow(connection, name, "false")
        _empty(connection, names)
        yield
    finally:
        for name in _names(connection, oids):
            _allow(connection, name, "true")


def _names(connection: psycopg.Connection, oids: set[str]) -> list[str]:
    rows = connection.execute("SELECT datname FROM pg_database WHERE oid = ANY(%s::oid[])", (sorted(oids),)).fetchall()
    return [str(row[0]) for row in rows]


def _allow(connection: psycopg.Connection, name: str, whether: str) -> None:
    statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    connection.execute(statement.format(sql.Identifier(name), sql.SQL("true" if whether == "true" else "false")))


def _empty(connection: psycopg.Connection, names: tuple[str, ...]) -> None:
    """End every session in these databases, again and again until none is left."""
    deadline = time.monotonic() + QUIET_SECONDS
    query = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = ANY(%s) AND pid <> pg_backend_pid()"
    )
    while time.monotonic() < deadline:
        [row] = connection.execute(query, (list(names),)).fetchall()
        if row[0] == 0:
            return
        time.sleep(0.05)
    raise RunbookError(
        f"someone is still connected to {' or '.join(names)} after {QUIET_SECONDS} s",
        "nothing was renamed; stop what connects, then run this again",
    )


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


def comment_of(connection: psycopg.Connection, name: str) -> str:
    """The comment on the database *name*; empty for none."""
    query = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = {}"
    return one(connection, sql.SQL(query).format(sql.Literal(name)))


def set_comment(connection: psycopg.Connection, name: str, comment: str) -> None:
    """Put *comment* on the database *name*; an empty one takes it away."""
    statement = sql.SQL("COMMENT ON DATABASE {} IS {}")
    connection.execute(statement.format(sql.Identifier(name), sql.Literal(comment or None)))


def reopen(connection: psycopg.Connection, names: tuple[str, ...], target: Target) -> None:
    """Let sessions again into those of these, and of what was kept for *target*, that a cut switch had closed."""
    closed_ones = connection.execute("SELECT datname FROM pg_database WHERE NOT datallowconn").fetchall()
    for (name,) in closed_ones:
        if name in names or ours(marks.read(comment_of(connection, name)), name, target):
            _allow(connection, name, "true")


def remove(connection: psycopg.Connection, name: str) -> None:
    """Drop the database *name*, with every session in it ended."""
    with closed(connection, (name,)):
        pass
    connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


@verb("database.set_aside")
def set_aside(step: Step, context: Context) -> Mapping[str, Any]:
    """Rename the database to `aside`, and put an empty one of the same owner, encoding and locale in its place.

    A second time it sees that this is done and changes nothing.

    Raises:
        RunbookError: something else is already called so.
    """
    key, aside, name = str(step.args["key"]), str(step.args["aside"]), step.subject
    with writer(context.target, key) as connection:
        if not exists(connection, aside):
            with closed(connection, (name,)):
                rename(connection, ((name, aside),))
        elif exists(connection, name) and not _is_bare(context.target, key, name):
            raise RunbookError(
                f"a database {aside} is there already, and {name} is not empty",
                f"see what {aside} holds; rename it if it is to stay, then plan again",
            )
        if not exists(connection, name):
            _like(connection, name, aside)
        return {"database": name, "aside": aside, "oid": oid(connection, aside)}


def _is_bare(target: Target, key: str, name: str) -> bool:
    with writer(target, key, name) as connection:
        return one(connection, "SELECT count(*) FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'p')") == "0"


def _like(connection: psycopg.Connection, name: str, model: str) -> None:
    """Make *name* from the empty template as *model* was made."""
    from drillbook.act.settings import creation

    query = (
        "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate::text, datctype::text, "
        "coalesce(to_jsonb(b) ->> 'datlocprovider', 'c'), "
        "coalesce(to_jsonb(b) ->> 'datlocale', to_jsonb(b) ->> 'daticulocale', '') "
        "FROM pg_database AS b WHERE datname = %s"
    )
    [row] = connection.execute(query, (model,)).fetchall()
    keys = ("owner", "encoding", "collate", "ctype", "locale_provider", "locale")
    connection.execute(creation(name, dict(zip(keys, row, strict=True))))
