"""The content digest of a table, as SQL: rows, and one number that any changed row changes.

A row's hash is 64 bits, and the digest is the plain sum of them: it does not
depend on the order of rows, counts a duplicate twice, and is exact, because
PostgreSQL sums bigint into numeric, which cannot overflow. XOR is no choice:
two equal rows cancel out, and a table of doubled rows would look empty.

`record64-v1` hashes the row as a record, and that hash once more: a record's
hash is linear in its columns' hashes, so the sum of bare ones does not see two
rows swap the values of one column (139 of 200 such swaps passed). It also follows equality, and
equality forgives what a restore must not: 1.0 = 1.00, -0 = 0, '24 h' = '1 day';
and json and xml have none. So only types whose equality is identity stay as
they are; every other column is cast to text under pinned settings.
`text64-v1`, for servers before 14, hashes the row's text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

RECORD = "record64-v1"
TEXT = "text64-v1"
OLDEST_MAJOR = 12

# pg_type.oid of: bool bytea "char" name int8 int2 int4 text oid varchar date time timestamp timestamptz uuid
IDENTICAL = frozenset({16, 17, 18, 19, 20, 21, 23, 25, 26, 1043, 1082, 1083, 1114, 1184, 2950})
BPCHAR = 1042
XML = 142
FIRST_MADE = 16384  # FirstNormalObjectId: types from here on were made by somebody


@dataclass(frozen=True)
class Column:
    """A column as its digest needs it; `collated` when its collation is not deterministic."""

    name: str
    type_oid: int
    collated: bool = False


@dataclass(frozen=True)
class Table:
    """A relation that holds rows of its own: a plain table, a partition's leaf, an inheritance child."""

    oid: int
    schema: str
    name: str
    bytes: int
    columns: tuple[Column, ...]


def algorithm(major: int) -> str:
    """The digest's name for a server of this major version."""
    return RECORD if major >= 14 else TEXT


def expression(column: Column) -> sql.Composable:
    """*column* in the form that is hashed.

    bpchar goes through its send function: a cast to text would drop its trailing blanks. Within a row a value is
    written by its output function, as a dump does it: for xml, whose cast keeps a declaration that the dump leaves
    out, and for a type that somebody made, whose cast may be anything that somebody made too.
    """
    name = sql.SQL("t.{}").format(sql.Identifier(column.name))
    if column.type_oid == BPCHAR:
        return sql.SQL("bpcharsend({})").format(name)
    if column.type_oid == XML or column.type_oid >= FIRST_MADE:
        return sql.SQL("ROW({})::text").format(name)
    if column.type_oid not in IDENTICAL:
        return sql.SQL("({})::text").format(name)
    if column.collated:
        return sql.SQL('({})::text COLLATE "C"').format(name)
    return name


def query(schema: str, table: str, columns: Sequence[Column], name: str) -> sql.Composed:
    """`SELECT rows, sum` over the table's own rows, by the algorithm *name*.

    Columns go in the order of their names: a restore may put an inheritance
    child's columns in another order, and that changes no row.
    """
    ordered = sorted(columns, key=lambda column: column.name)
    record = sql.SQL("ROW({})").format(sql.SQL(", ").join(expression(column) for column in ordered))
    hashed = sql.SQL(_hash(name)).format(record)
    relation = sql.Identifier(schema, table)
    return sql.SQL("SELECT count(*), coalesce(sum({}), 0)::text FROM ONLY {} AS t").format(hashed, relation)


def count_query(schema: str, table: str) -> sql.Composed:
    """`SELECT rows` over the table's own rows."""
    return sql.SQL("SELECT count(*) FROM ONLY {}").format(sql.Identifier(schema, table))


def large_objects_query(name: str) -> sql.Composed:
    """`SELECT number, sum` over the large objects, hashed in slices of 4 MiB.

    `lo_get` and not `pg_largeobject`: the latter is for superusers alone.
    """
    hashed = sql.SQL(_hash(name)).format(sql.SQL("ROW(oid, at, slice)"))
    return sql.SQL(_LARGE_OBJECTS).format(hashed=hashed)


def _hash(name: str) -> LiteralString:
    if name == RECORD:
        return "hash_record_extended(ROW(int8send(hash_record_extended({}, 0))), 0)"
    return "hashtextextended(({})::text, 0)"


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
