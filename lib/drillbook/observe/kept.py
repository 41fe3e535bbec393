"""What earlier runs kept aside, or made beside, with all that it holds now. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import psycopg

from drillbook.observe import database, engine, marks
from drillbook.observe.data import maintenance
from drillbook.observe.marks import Mark
from drillbook.observe.server import READING, place, session
from drillbook.observe.volumes import Tree, archive, tree_of, window
from drillbook.target import Target
from drillbook.vault.content import DatabaseContent, TableDigest

VOLUME = "drillbook.kept"
BESIDE = "drillbook.restored"
Kind = Literal["database", "schema", "volume"]


@dataclass(frozen=True)
class Kept:
    """A database, schema or volume that carries our mark. What it holds is in the field of its kind.

    `key` is the database's, or the volume's from which it was copied; a kept `schema` holds tables of `source`.
    """

    kind: Kind
    name: str
    key: str
    schema: str = ""
    source: str = ""
    content: DatabaseContent | None = None
    tables: tuple[TableDigest, ...] = ()
    tree: Tree | None = None
    algorithm: str = ""
    image_id: str = ""

    def as_json(self) -> dict[str, Any]:
        """What a plan rests on: which they are, and what they hold."""
        tables = self.content.tables if self.content else self.tables
        held = {table.name: [table.rows, table.sum64] for table in tables}
        return {"kind": self.kind, "name": self.name, "held": held, "tree": self.tree.digest if self.tree else ""}


def kept(target: Target, asked: Collection[str] = ("all",)) -> tuple[Kept, ...]:
    """Everything that was kept for *target*, or what of it is *asked* for by name. Changes nothing.

    A schema is asked for as `DATABASE.SCHEMA`.
    """

    def wanted(name: str) -> bool:
        return "all" in asked or name in asked

    found: list[Kept] = []
    for key in target.databases:
        found += _schemas(target, key, wanted)
    for key in _servers(target):
        found += _databases(target, key, wanted)
    if target.stack is not None:
        found += _volumes(target, wanted)
    return tuple(found)


def _servers(target: Target) -> list[str]:
    """One key for each server."""
    by_place: dict[tuple[str, str, int], str] = {}
    for key, declared in target.databases.items():
        by_place.setdefault((declared.service, declared.host, declared.port), key)
    return list(by_place.values())


def _databases(target: Target, key: str, wanted: Any) -> Iterator[Kept]:
    query = (
        "SELECT datname, coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database "
        "WHERE datallowconn AND NOT datistemplate ORDER BY 1"
    )
    with maintenance(target, key) as connection:
        rows = connection.execute(query).fetchall()
    for name, comment in rows:
        if ours(marks.read(comment), name, target) and wanted(name):
            with session(place(target, key, dbname=name), READING) as connection:
                yield Kept("database", name, key, content=unmarked(database.content(connection, name)))


def unmarked(content: DatabaseContent) -> DatabaseContent:
    """*content* with the database's comment as it was before it was marked."""
    comment = marks.without(content.settings.get("comment", ""))
    return content.model_copy(update={"settings": {**content.settings, "comment": comment}})


def ours(mark: Mark | None, name: str, target: Target) -> bool:
    """Whether *mark* is this target's, and of what bears it."""
    return mark is not None and (mark.name, mark.target) == (name, target.name)


def _schemas(target: Target, key: str, wanted: Any) -> Iterator[Kept]:
    dbname = target.databases[key].dbname
    with maintenance(target, key) as connection:
        query = "SELECT 1 FROM pg_database WHERE datname = %s AND datallowconn"
        if not connection.execute(query, (dbname,)).fetchone():
            return
    with database.connect(target, key) as connection:
        query = "SELECT nspname, coalesce(obj_description(oid, 'pg_namespace'), '') FROM pg_namespace ORDER BY 1"
        for name, comment in connection.execute(query).fetchall():
            if ours(marks.read(comment), name, target) and wanted(f"{dbname}.{name}"):
                yield schema(connection, key, dbname, name, comment)


def schema(connection: psycopg.Connection, key: str, dbname: str, name: str, comment: str) -> Kept:
    """A kept schema, as the session of *connection* sees it."""
    algorithm = database.algorithm_of(connection)
    names = [(table.schema, table.name) for table in database.tables(connection) if table.schema == name]
    tables = database.table_digests(connection, names, algorithm)
    return Kept("schema", f"{dbname}.{name}", key, name, marks.without(comment), None, tables, None, algorithm)


def _volumes(target: Target, wanted: Any) -> Iterator[Kept]:
    client = engine.client(target)
    images = [fact.image_id for fact in engine.containers(target)]
    for label in (VOLUME, BESIDE):
        for row in client.api.volumes(filters={"label": f"{label}.target={target.name}"})["Volumes"] or []:
            name, source = row["Name"], (row.get("Labels") or {}).get(label, "")
            if images and wanted(name):
                with window(client, images[0], name, "ro", "kept") as container:
                    tree = tree_of(archive(client, container))
                yield Kept("volume", name, source, tree=tree, image_id=images[0])
