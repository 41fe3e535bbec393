"""The content digest of a table, as SQL: rows, and one number that any changed row changes.

A row's hash is 64 bits, and the digest is the plain sum of them: it does not
depend on the order of rows, counts a duplicate twice, and is exact, because
PostgreSQL sums bigint into numeric, which cannot overflow. XOR is no choice:
two equal rows cancel out, and a table of doubled rows would look empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from drillbook.observe.row_hash import CHAIN, RECORD, TEXT, Column, record_hash, row_hash

OLDEST_MAJOR = 12
RECORDS_SINCE = 14
"""The first major version that hashes a record with 64 bits."""


@dataclass(frozen=True)
class Table:
    """A relation that holds rows of its own: a plain table, a partition's leaf, an inheritance child."""

    oid: int
    schema: str
    name: str
    bytes: int
    columns: tuple[Column, ...]


def algorithm(major: int, wanted: str = "") -> str:
    """The digest's name for a server of this major version: *wanted*, where it is known and the server can do it."""
    able = (CHAIN, RECORD, TEXT) if major >= RECORDS_SINCE else (TEXT,)
    return wanted if wanted in able else able[0]


def query(schema: str, table: str, columns: Sequence[Column], name: str) -> sql.Composed:
    """`SELECT rows, sum` over the table's own rows, by the algorithm *name*."""
    relation = sql.Identifier(schema, table)
    total = sql.SQL("SELECT count(*), coalesce(sum({}), 0)::text FROM ONLY {} AS t")
    return total.format(row_hash(columns, name), relation)


def count_query(schema: str, table: str) -> sql.Composed:
    """`SELECT rows` over the table's own rows."""
    return sql.SQL("SELECT count(*) FROM ONLY {}").format(sql.Identifier(schema, table))


def large_objects_query(name: str) -> sql.Composed:
    """`SELECT number, sum` over the large objects, hashed in slices of 4 MiB.

    `lo_get` and not `pg_largeobject`: the latter is for superusers alone.
    """
    return sql.SQL(_LARGE_OBJECTS).format(hashed=record_hash(sql.SQL("ROW(oid, at, slice)"), name))


_LARGE_OBJECTS = """
WITH RECURSIVE slices(oid, at, hash, bytes) AS (
    SELECT oid, at, {hashed}, octet_length(slice)
    FROM pg_largeobject_metadata, LATERAL (SELECT 0::bigint AS at, lo_get(oid, 0, 4194304) AS slice OFFSET 0) AS first
  UNION ALL
    SELECT oid, next.at, next.hash, next.bytes
    FROM slices AS s, LATERAL (
        SELECT at, {hashed} AS hash, octet_length(slice) AS bytes
        FROM (SELECT s.at + 4194304 AS at, lo_get(s.oid, s.at + 4194304, 4194304) AS slice OFFSET 0) AS read
    ) AS next
    WHERE s.bytes = 4194304
)
SELECT count(DISTINCT oid), coalesce(sum(hash), 0)::text FROM slices
"""
