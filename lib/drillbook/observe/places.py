"""Where a target's data lies, as facts for the planners of backup and restore."""

from __future__ import annotations

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
    """A database of the target, `server` the key of its server; `exists` as the server lists it."""

    key: str
    server: str
    dbname: str
    exists: bool
    bytes: int = 0


@dataclass(frozen=True)
class VolumePlace:
    """A volume of the target beside its databases' own."""

    name: str
    key: str
    kind: Literal["files", "redis"]
    service: str
    containers: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataFacts:
    """Everything of a target that holds data. `volume_names` are all on the engine."""

    servers: Mapping[str, ServerPlace]
    databases: Mapping[str, DatabasePlace]
    volumes: tuple[VolumePlace, ...] = ()
    volume_names: tuple[str, ...] = ()
    vault: str = ""

    def as_json(self) -> dict[str, Any]:
        """What a plan rests on, as plain JSON; sizes are left out, for they change by themselves."""
        databases = {key: {**asdict(place), "bytes": 0} for key, place in self.databases.items()}
        return {
            "servers": {key: _lists(asdict(place)) for key, place in self.servers.items()},
            "databases": databases,
            "volumes": [_lists(asdict(place)) for place in self.volumes],
        }


def _lists(value: dict[str, Any]) -> dict[str, Any]:
    return {name: list(item) if isinstance(item, tuple) else item for name, item in value.items()}
