"""One table's digest, taken; and by which algorithm a server takes it."""

from __future__ import annotations

import re
from collections.abc import Collection

import psycopg

from drillbook.errors import RunbookError
from drillbook.observe import digest
from drillbook.observe.digest import Table
from drillbook.observe.server import one
from drillbook.vault.content import TableDigest


def algorithm_for(version: str, wanted: str = "") -> str:
    """The algorithm of a server of this *version*: *wanted*, where it can.

    Raises:
        RunbookError: it is too old for any.
    """
    major = int(re.split(r"[. ]", version)[0])
    if major < digest.OLDEST_MAJOR:
        raise RunbookError(
            f"the server is PostgreSQL {version}; digests need {digest.OLDEST_MAJOR} or newer",
            "upgrade the server; its own pg_dump still takes a backup without proof",
        )
    return digest.algorithm(major, wanted)


def taken(connection: psycopg.Connection, table: Table, name: str, counted: Collection[str]) -> TableDigest:
    """The table's rows and digest by the algorithm *name*; only its rows where it is one of those *counted*."""
    if f"{table.schema}.{table.name}" in counted:
        rows, sum64 = int(one(connection, digest.count_query(table.schema, table.name))), None
    else:
        query = digest.query(table.schema, table.name, table.columns, name)
        [(rows, sum64)] = connection.execute(query).fetchall()
    return TableDigest(schema_name=table.schema, table=table.name, rows=rows, sum64=sum64, bytes=table.bytes)
