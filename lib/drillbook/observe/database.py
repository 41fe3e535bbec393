"""What a database holds, read in one snapshot: rows, digests, schema, grants, sequences."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from drillbook.errors import BadTarget, DatabaseDown, EngineDown, RunbookError
from drillbook.observe import catalog_grants, catalog_other, catalog_sql, digest, server
from drillbook.observe import tables as look_at
from drillbook.observe.digest import Table
from drillbook.observe.facts_data import DatabaseFact
from drillbook.observe.row_hash import Column
from drillbook.observe.server import connect, looking, one, said, server_version, system_identifier
from drillbook.observe.table_digest import algorithm_for, taken
from drillbook.target import Target
from drillbook.vault.content import DatabaseContent, SequenceState, TableDigest

__all__ = [
    "begin_snapshot", "connect", "content", "contents", "database_fact", "is_empty", "row_counts", "size_bytes",
    "tables",
]  # fmt: skip


def database_fact(target: Target, key: str) -> DatabaseFact:
    """The database *key* as it is now, in a few seconds and without holding anybody up. Changes nothing.

    Never fails: `reachable`, `asked`, `error` and `unread` say what could not be seen, and why.
    """
    fact = DatabaseFact(key, target.databases[key].dbname, reachable=False)
    try:
        with looking(target, key) as connection:
            return _looked(connection, replace(fact, reachable=True))
    except RunbookError as error:
        return replace(fact, error=error.fact, asked=not isinstance(error, EngineDown | BadTarget))
    except psycopg.Error as error:
        return replace(fact, error=f"the session was lost: {said(error)}")


def _looked(connection: psycopg.Connection, fact: DatabaseFact) -> DatabaseFact:
    """*fact* with what could be read; with an `error` when the catalog could not."""
    try:
        fact = replace(fact, server_version=server_version(connection), **_measured(connection))
        fact = replace(
            fact, data_directory=server.data_directory(connection), tablespaces=server.tablespaces(connection)
        )
        seen = look_at.look(connection)
        return replace(
            fact, rows=dict(sorted(seen.rows.items())), estimated=tuple(seen.estimated), unread=seen.unread,
            parts=seen.parts, rowless=tuple(seen.rowless),
            columns=look_at.columns(connection), indexes=look_at.indexes(connection),
            system_identifier=system_identifier(connection), sequences=_used(connection),
        )  # fmt: skip
    except psycopg.Error as error:
        if connection.closed:
            raise
        return replace(fact, error=f"it answers, but its catalog cannot be read: {said(error)} ({error.sqlstate})")


def _measured(connection: psycopg.Connection) -> dict[str, Any]:
    [row] = connection.execute(catalog_sql.MEASURES).fetchall()
    return dict(zip(("oid", "connections", "max_connections", "bytes"), row, strict=True))


def _used(connection: psycopg.Connection) -> dict[str, int]:
    rows = connection.execute(catalog_sql.USED_SEQUENCES).fetchall()
    return {f"{schema}.{name}": int(last) for schema, name, last in rows if last is not None}


def contents(target: Target, algorithms: Mapping[str, str] | None = None) -> dict[str, DatabaseContent]:
    """What every database of *target* holds now, with digests by the *algorithms* of its keys. Changes nothing.

    Raises:
        DatabaseDown: one of them does not answer.
    """
    found = {}
    for key, database in target.databases.items():
        with connect(target, key) as connection:
            found[key] = content(connection, database.dbname, algorithm=(algorithms or {}).get(key, ""))
    return found


def begin_snapshot(connection: psycopg.Connection) -> str:
    """Open a repeatable-read transaction and export its snapshot for a dump. Changes nothing."""
    connection.rollback()
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    return one(connection, "SELECT pg_export_snapshot()")


def content(
    connection: psycopg.Connection,
    database: str,
    snapshot: str = "",
    states: tuple[SequenceState, ...] | None = None,
    counted: Collection[str] = (),
    algorithm: str = "",
) -> DatabaseContent:
    """What the database of *connection* holds, all in one snapshot. Changes nothing.

    Without a *snapshot* already begun on this connection it begins its own;
    *states* are the sequences if they were read before. Tables in *counted* are not digested.
    *algorithm* is the digest's name that it is to be compared by, where this server can.

    Raises:
        RunbookError: the server is too old, or a table may not be read or is gone meanwhile.
    """
    try:
        version = server_version(connection) if snapshot else _begin(connection)
        name = algorithm_for(version, algorithm)
        return DatabaseContent(
            database=database,
            server_version=version,
            algorithm=name,
            sequences=sequences(connection) if states is None else states,
            tables=tuple(taken(connection, table, name, counted) for table in tables(connection)),
            schema_objects=schema_objects(connection),
            grants=grants(connection),
            extensions=_pairs(connection, catalog_sql.EXTENSIONS),
            settings=_pairs(connection, catalog_sql.SETTINGS),
            large_objects=_large_objects(connection, name),
            snapshot=snapshot,
        )
    except psycopg.Error as error:
        if connection.closed:
            fact = f"the server of database {database} went away while it was read: {said(error)}"
            raise DatabaseDown(fact, "see its log; once it is up again run this again") from error
        fact = f"database {database} cannot be read whole: {said(error)} ({error.sqlstate})"
        raise RunbookError(fact, _UNREAD.get(error.sqlstate or "", _MAY_NOT)) from error


_MAY_NOT = "the target's user must be allowed to read every table (pg_read_all_data, or a superuser)"
_UNREAD = {
    "55P03": "another session holds a table: SELECT pid, relation::regclass FROM pg_locks WHERE mode ~ '^AccessEx'",
    "42P01": "a table was dropped while it was being read; run this again when no migration is under way",
}


def _begin(connection: psycopg.Connection) -> str:
    connection.rollback()
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    return server_version(connection)


def tables(connection: psycopg.Connection) -> tuple[Table, ...]:
    """Every relation with rows of its own, unlogged ones too, without system schemas and extensions' own."""
    rows = connection.execute(catalog_sql.TABLES).fetchall()
    found = []
    for oid, schema, name, size, columns in rows:
        found.append(Table(oid, schema, name, size, tuple(Column(*column) for column in columns)))
    return tuple(found)


def row_counts(connection: psycopg.Connection) -> dict[str, int]:
    """schema.table → rows, counted and not estimated. Changes nothing."""
    counted = {}
    for table in tables(connection):
        rows = one(connection, digest.count_query(table.schema, table.name))
        counted[f"{table.schema}.{table.name}"] = int(rows)
    return counted


def is_empty(connection: psycopg.Connection) -> bool:
    """Whether no table holds a single row."""
    for table in tables(connection):
        relation = sql.Identifier(table.schema, table.name)
        if connection.execute(sql.SQL("SELECT 1 FROM ONLY {} LIMIT 1").format(relation)).fetchone():
            return False
    return True


def size_bytes(connection: psycopg.Connection) -> int:
    """What the database takes on the server's disk."""
    return int(one(connection, "SELECT pg_database_size(current_database())"))


def sequences(connection: psycopg.Connection) -> tuple[SequenceState, ...]:
    """Every sequence. They are bound to no snapshot: read them before a dump starts, never after."""
    found = []
    for schema, name, last, ascending, owner in connection.execute(catalog_sql.SEQUENCES).fetchall():
        extreme = _extreme(connection, owner, "max" if ascending else "min") if owner else None
        found.append(SequenceState(
            schema_name=schema, sequence=name, last_value=last, column_extreme=extreme, ascending=ascending
        ))  # fmt: skip
    return tuple(found)


def _extreme(connection: psycopg.Connection, owner: list[str], function: str) -> int | None:
    schema, table, column = owner
    query = sql.SQL("SELECT {}({}) FROM {}").format(
        sql.SQL("max") if function == "max" else sql.SQL("min"), sql.Identifier(column), sql.Identifier(schema, table)
    )
    value = one(connection, query)
    return int(value) if value else None


def algorithm_of(connection: psycopg.Connection) -> str:
    """The digest's name on the server of *connection*."""
    return algorithm_for(server_version(connection))


def table_digests(
    connection: psycopg.Connection, names: Collection[tuple[str, str]], algorithm: str
) -> tuple[TableDigest, ...]:
    """Rows and digests, by *algorithm*, of those of the tables *names* that are there. Changes nothing."""
    found = [table for table in tables(connection) if (table.schema, table.name) in names]
    return tuple(taken(connection, table, algorithm, ()) for table in found)


def _large_objects(connection: psycopg.Connection, name: str) -> tuple[int, str]:
    [row] = connection.execute(digest.large_objects_query(name)).fetchall()
    return int(row[0]), str(row[1])


def schema_objects(connection: psycopg.Connection) -> dict[str, str]:
    """`kind:name` → definition of everything in the schema. Changes nothing."""
    found = {}
    for kind, query in {**catalog_sql.OBJECTS, **catalog_other.OBJECTS}.items():
        for name, definition in connection.execute(query).fetchall():
            found[f"{kind}:{name}"] = str(definition)
    for catalog in catalog_other.CATALOGS:
        for kind, name, definition in connection.execute(catalog_other.other(catalog)).fetchall():
            found[f"{kind}:{name}"] = str(definition)
    return found


def grants(connection: psycopg.Connection) -> dict[str, str]:
    """object → its owner and ACL as JSON; an ACL that says what the default says is null."""
    found: dict[str, str] = {}
    for query in catalog_grants.GRANTS:
        for name, value in connection.execute(query).fetchall():
            if value is not None:
                found[str(name)] = json.dumps(json.loads(value), sort_keys=True)
    return found


def _pairs(connection: psycopg.Connection, query: str) -> dict[str, str]:
    return {str(name): str(value) for name, value in connection.execute(query.encode()).fetchall()}
