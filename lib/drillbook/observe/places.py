"""Where a target's data lies, as facts for the planners of backup and restore."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class ServerPlace:
    """A server of the target; `key` is the first of its databases, and stands for it in names."""

    key: str
    version: str
    bootstrap_user: str
    system_identifier: str
    databases: tuple[str, ...]
    names: tuple[str, ...]
    image_id: str = ""
    image_ref: str = ""
    preload: str = ""
    superuser: bool = True

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0].split()[0])


@dataclass(frozen=True)
class DatabasePlace:
    """A database of the target, `server` the key of its server; `exists` as the server lists it.

    `open` is false where the server lets nobody in: a switch was cut.
    """

    key: str
    server: str
    dbname: str
    exists: bool
    bytes: int = 0
    open: bool = True


@dataclass(frozen=True)
class VolumePlace:
    """A volume of the target beside its databases' own.

    `before` and `after` are commands in its service's container around the
    copy, `stop` whether the containers that mount it are stopped for it.
    """

    name: str
    key: str
    kind: Literal["files", "redis"]
    service: str
    containers: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    stop: bool = False
    volatile: bool = False


@dataclass(frozen=True)
class LiveTable:
    """A table as it is now. `kind` is pg_class.relkind; columns are (name, type, how generated).

    `triggers` are (name, state) of those that people made, `sequences`
    (sequence, column, counts up) of those it owns; all names quoted as SQL has them.
    """

    schema: str
    name: str
    kind: str
    columns: tuple[tuple[str, str, str], ...] = ()
    triggers: tuple[tuple[str, str], ...] = ()
    sequences: tuple[tuple[str, str, bool], ...] = ()


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key, its names quoted as SQL has them; of partitioned tables the topmost one."""

    table: str
    name: str
    definition: str
    comment: str = ""


@dataclass(frozen=True)
class TablesPlace:
    """The chosen tables as they are now, and the foreign keys that lead to them or from them."""

    tables: tuple[LiveTable, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    schemas: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()

    def table(self, schema: str, name: str) -> LiveTable | None:
        """The table, where it is there."""
        return next((table for table in self.tables if (table.schema, table.name) == (schema, name)), None)

    def as_json(self) -> dict[str, Any]:
        """What a plan rests on: without what the rest of the database does meanwhile."""
        told = {"tables": [asdict(t) for t in self.tables], "foreign_keys": [asdict(k) for k in self.foreign_keys]}
        plain: dict[str, Any] = json.loads(json.dumps(told))
        return plain


@dataclass(frozen=True)
class DataFacts:
    """Everything of a target that holds data. `volume_names` are all on the engine."""

    servers: Mapping[str, ServerPlace]
    databases: Mapping[str, DatabasePlace]
    volumes: tuple[VolumePlace, ...] = ()
    volume_names: tuple[str, ...] = ()
    vault: str = ""
    tables: TablesPlace | None = None

    def as_json(self) -> dict[str, Any]:
        """What a plan rests on, as plain JSON; sizes are left out, for they change by themselves."""
        databases = {key: {**asdict(place), "bytes": 0} for key, place in self.databases.items()}
        tables = {"tables": self.tables.as_json()} if self.tables else {}
        return {
            **tables,
            "servers": {key: _lists(asdict(place)) for key, place in self.servers.items()},
            "databases": databases,
            "volumes": [_lists(asdict(place)) for place in self.volumes],
        }


def _lists(value: dict[str, Any]) -> dict[str, Any]:
    return {name: list(item) if isinstance(item, tuple) else item for name, item in value.items()}
