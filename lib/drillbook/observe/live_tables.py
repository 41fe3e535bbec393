"""Chosen tables as they are now, with everything that a restore of their rows must mind. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

import psycopg

from drillbook.observe.data import maintenance
from drillbook.observe.places import ForeignKey, LiveTable, TablesPlace
from drillbook.observe.server import connect
from drillbook.target import Target

Name = tuple[str, str]
"""Schema and table, unquoted."""

_TABLES: LiteralString = """
SELECT c.oid, n.nspname, c.relname, c.relkind::text,
  (SELECT coalesce(json_agg(json_build_array(a.attname, format_type(a.atttypid, a.atttypmod), a.attgenerated::text)
     ORDER BY a.attnum), '[]') FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  (SELECT coalesce(json_agg(json_build_array(quote_ident(t.tgname), t.tgenabled::text) ORDER BY t.tgname), '[]')
     FROM pg_trigger AS t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal),
  (SELECT coalesce(json_agg(json_build_array(d.objid::regclass::text, quote_ident(a.attname), s.seqincrement > 0)
     ORDER BY d.objid::regclass::text), '[]')
     FROM pg_depend AS d JOIN pg_sequence AS s ON s.seqrelid = d.objid
     JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
     AND d.deptype IN ('a', 'i') AND a.atttypid IN (20, 21, 23))
FROM unnest(%s::text[], %s::text[]) AS w(schema, name)
JOIN pg_namespace AS n ON n.nspname = w.schema JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.name
ORDER BY 2, 3
"""

_FOREIGN_KEYS: LiteralString = """
WITH RECURSIVE touched AS (
    SELECT k.oid, k.conparentid FROM pg_constraint AS k
    WHERE k.contype = 'f' AND (k.conrelid = ANY(%s::oid[]) OR k.confrelid = ANY(%s::oid[]))
  UNION
    SELECT p.oid, p.conparentid FROM pg_constraint AS p JOIN touched AS t ON p.oid = t.conparentid
)
SELECT k.conrelid::regclass::text, quote_ident(k.conname), pg_get_constraintdef(k.oid),
    coalesce(obj_description(k.oid, 'pg_constraint'), '')
FROM pg_constraint AS k WHERE k.oid IN (SELECT oid FROM touched) AND k.conparentid = 0 ORDER BY 1, 2
"""

_RELATIONS: LiteralString = (
    "SELECT c.oid::regclass::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1"
)


def tables_place(connection: psycopg.Connection, names: Sequence[Name]) -> TablesPlace:
    """The tables *names* in the database of *connection*, those that are there. Changes nothing."""
    schemas, tables = [name[0] for name in names], [name[1] for name in names]
    rows = connection.execute(_TABLES, (schemas, tables)).fetchall()
    oids = [row[0] for row in rows]
    keys = connection.execute(_FOREIGN_KEYS, (oids, oids)).fetchall()
    known = connection.execute("SELECT nspname FROM pg_namespace ORDER BY 1").fetchall()
    relations = connection.execute(_RELATIONS).fetchall()
    return TablesPlace(
        tuple(_table(*row[1:]) for row in rows), tuple(ForeignKey(*row) for row in keys),
        tuple(str(row[0]) for row in known), tuple(str(row[0]) for row in relations),
    )  # fmt: skip


def _table(schema: str, name: str, kind: str, *lists: Any) -> LiveTable:
    columns, triggers, sequences = (tuple(tuple(item) for item in found) for found in lists)
    return LiveTable(schema, name, kind, columns, triggers, sequences)


def live_tables(target: Target, key: str, names: Sequence[Name]) -> TablesPlace | None:
    """The tables *names* of the live database *key*; None where the database itself is not there.

    Raises:
        DatabaseDown: the server does not answer.
    """
    with maintenance(target, key) as connection:
        query = "SELECT 1 FROM pg_database WHERE datname = %s"
        if not connection.execute(query, (target.databases[key].dbname,)).fetchone():
            return None
    with connect(target, key) as connection:
        return tables_place(connection, names)
