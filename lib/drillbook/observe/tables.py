"""A look at tables that holds nobody up: small ones are counted, great ones estimated, a locked one is left alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg
from psycopg import errors, sql

from drillbook.observe.catalog_sql import HELD, SCHEMAS, mine, relations
from drillbook.observe.digest import count_query
from drillbook.observe.index_lines import index_text

COUNTED_BYTES = 64 * 1024 * 1024
"""A table up to this size is counted: some 0.1 s where it lies in memory."""
COUNT_SECONDS = 3.0
"""After this long no more tables are counted, only estimated; after twice as long the rest is left unread."""
LOCKED_SECONDS = 1.0
"""How long we wait in all for tables that others hold: autovacuum gives way at once, a migration does not."""
SAMPLED_BYTES = 2 * 1024 * 1024

LOOKED: LiteralString = (
    "SELECT c.oid::int8, n.nspname, c.relname, c.relkind::text, c.reltuples::float8, "
    "c.relpages::int8 * current_setting('block_size')::int8, "
    "CASE WHEN c.relispartition THEN (SELECT json_build_array(m.nspname, u.relname) FROM pg_inherits AS i "
    "JOIN pg_class AS u ON u.oid = i.inhparent JOIN pg_namespace AS m ON m.oid = u.relnamespace "
    "WHERE i.inhrelid = c.oid LIMIT 1) END, "
    "(SELECT min(l.pid) FROM held AS l WHERE l.relation = c.oid) "
    + relations("'r', 'p', 'f'") + " ORDER BY 2, 3"
)  # fmt: skip
SIZES: LiteralString = "SELECT o, coalesce(pg_relation_size(o::oid), 0) FROM unnest(%s::int8[]) AS o"
COLUMNS: LiteralString = (
    "SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a "
    "JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' AND "
    + SCHEMAS + " AND " + mine("pg_class", "c.oid")
)  # fmt: skip
INDEXES: LiteralString = (
    "SELECT i.indisunique, n.nspname, c.relname, tn.nspname, t.relname FROM pg_index AS i "
    "JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "JOIN pg_class AS t ON t.oid = i.indrelid JOIN pg_namespace AS tn ON tn.oid = t.relnamespace "
    "WHERE (i.indisvalid OR c.relkind = 'I') AND NOT c.relispartition AND t.relkind IN ('r', 'p') "
    "AND c.relpersistence <> 't' AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = c.oid "
    "AND k.contype IN ('p', 'u', 'x')) AND " + SCHEMAS + " AND " + mine("pg_class", "i.indrelid")
)  # fmt: skip


@dataclass(frozen=True)
class Relation:
    """A table as the catalog has it; `parent` is the partitioned table that it is a part of, `holder` a session."""

    oid: int
    schema: str
    table: str
    kind: str
    planned_rows: float
    planned_bytes: int
    parent: str
    holder: int

    @property
    def name(self) -> str:
        return f"{self.schema}.{self.table}"


@dataclass
class Look:
    """What was read of the tables; `unread` says of the others why not."""

    rows: dict[str, int] = field(default_factory=dict)
    estimated: list[str] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    rowless: list[str] = field(default_factory=list)
    parts: dict[str, str] = field(default_factory=dict)


def columns(connection: psycopg.Connection) -> dict[str, str]:
    """schema.table.column → type, as the server spells it. Locks no table."""
    return {f"{s}.{t}.{c}": str(kind) for s, t, c, kind in connection.execute(COLUMNS).fetchall()}


def indexes(connection: psycopg.Connection) -> tuple[str, ...]:
    """The indexes that stand for themselves: neither a constraint's, nor a partition's share of one, nor an invalid."""
    rows = connection.execute(INDEXES).fetchall()
    return tuple(sorted(index_text(unique, f"{n}.{i}", f"{tn}.{t}") for unique, n, i, tn, t in rows))


def look(connection: psycopg.Connection) -> Look:
    """Rows of every table that has rows of its own, in a few seconds at most. Changes nothing.

    Each table is a transaction of its own, so that no lock of ours outlives its count.

    Raises:
        psycopg.Error: the catalog cannot be read, or the session is lost.
    """
    found = [_relation(*row) for row in connection.execute(HELD + LOOKED).fetchall()]
    seen = Look(parts={r.name: r.parent for r in found if r.parent})
    seen.rowless.extend(r.name for r in found if r.kind != "r")
    plain = [r for r in found if r.kind == "r"]
    sizes = _sizes(connection, [r for r in plain if not r.holder])
    begun = time.monotonic()
    for relation in sorted((r for r in plain if not r.holder), key=lambda r: sizes[r.oid]):
        spent, size = time.monotonic() - begun, sizes[relation.oid]
        if spent > 2 * COUNT_SECONDS:
            seen.unread[relation.name] = f"not asked: the tables before it took {spent:.0f} s"
        elif size > COUNTED_BYTES or spent > COUNT_SECONDS:
            _estimated(connection, relation, seen, size)
        else:
            _counted(connection, relation, seen, size)
    for relation in _while_patient([r for r in plain if r.holder], seen):
        _counted(connection, relation, seen, relation.planned_bytes)
    return seen


def _relation(oid: int, schema: str, table: str, kind: str, *rest: Any) -> Relation:
    rows, size, parent, holder = rest
    return Relation(oid, schema, table, kind, rows, size, ".".join(parent or ()), holder or 0)


def _sizes(connection: psycopg.Connection, found: Sequence[Relation]) -> dict[int, int]:
    """Bytes of each; the planner's where one was locked or dropped since the catalog was read."""
    try:
        return {int(o): int(size) for o, size in connection.execute(SIZES, ([r.oid for r in found],)).fetchall()}
    except psycopg.Error:
        if connection.closed:
            raise
        return {r.oid: r.planned_bytes for r in found}


def _while_patient(held: Sequence[Relation], seen: Look) -> Iterator[Relation]:
    begun = time.monotonic()
    for relation in held:
        if time.monotonic() - begun < LOCKED_SECONDS:
            yield relation
        else:
            seen.unread[relation.name] = _locked(relation)


def _counted(connection: psycopg.Connection, relation: Relation, seen: Look, size: int) -> None:
    """Put the rows of *relation* into *seen*: counted, where that takes too long estimated, or why neither."""
    try:
        seen.rows[relation.name] = _number(connection, count_query(relation.schema, relation.table))
    except errors.QueryCanceled:
        _estimated(connection, relation, seen, size)
    except psycopg.Error as error:
        _unread(connection, relation, seen, error)


def _estimated(connection: psycopg.Connection, relation: Relation, seen: Look, size: int) -> None:
    try:
        rows = _estimate(connection, relation, max(size, 1))
    except psycopg.Error as error:
        _unread(connection, relation, seen, error)
        return
    seen.rows[relation.name] = rows
    if rows:
        seen.estimated.append(relation.name)


def _estimate(connection: psycopg.Connection, relation: Relation, size: int) -> int:
    """The planner's density over the bytes of now; for a table never analysed that of a small sample."""
    name = sql.Identifier(relation.schema, relation.table)
    if not connection.execute(sql.SQL("SELECT 1 FROM ONLY {} LIMIT 1").format(name)).fetchone():
        return 0
    if relation.planned_rows > 0 and relation.planned_bytes > 0:
        return max(round(relation.planned_rows * size / relation.planned_bytes), 1)
    share = min(SAMPLED_BYTES / size, 1.0)
    sample = sql.SQL("SELECT count(*) FROM ONLY {} TABLESAMPLE SYSTEM ({})").format(name, sql.Literal(share * 100))
    return max(round(_number(connection, sample) / share), 1)


def _unread(connection: psycopg.Connection, relation: Relation, seen: Look, error: psycopg.Error) -> None:
    if connection.closed:
        raise error
    seen.unread[relation.name] = _why(relation, error)


def _why(relation: Relation, error: psycopg.Error) -> str:
    match error:
        case errors.LockNotAvailable():
            return _locked(relation)
        case errors.UndefinedTable() | errors.InvalidSchemaName():
            return "gone since the catalog was read"
        case errors.InsufficientPrivilege():
            return "the target's user may not read it"
        case errors.QueryCanceled():
            return "did not answer in time"
    return f"{error.diag.message_primary or type(error).__name__} ({error.sqlstate})"


def _locked(relation: Relation) -> str:
    by = f"session {relation.holder}" if relation.holder else "another session"
    return f"locked by {by} (ACCESS EXCLUSIVE)"


def _number(connection: psycopg.Connection, query: sql.Composed) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0
