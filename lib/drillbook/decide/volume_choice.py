"""Which volumes a reset may empty: caches by themselves, others by their names, a database's own never."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from drillbook.decide.chosen import names
from drillbook.errors import BadParameters, Refused
from drillbook.observe.facts import ContainerFact, Snapshot, VolumeFact
from drillbook.observe.held import described
from drillbook.observe.volumes import is_data
from drillbook.suggest import nearest
from drillbook.target import Target

AUTO = "auto"


def volume_names(target: Target, snapshot: Snapshot, asked: str | Iterable[str] = AUTO) -> tuple[str, ...]:
    """The full names of the volumes *asked* for, by key or by name; `auto` are those that are declared `volatile`.

    Raises:
        BadParameters: the stack has no such volume.
        Refused: a database's data lies in it.
    """
    found = [volume for name in names(asked) for volume in _meant(target, snapshot, name)]
    for volume in found:
        key = _database_in(target, snapshot, volume.name)
        if key:
            fact = f"volume {volume.name} holds the data of database {key}: it is not emptied as files"
            raise Refused(fact, "scope=database resets a database: it is renamed, and an empty one takes its place")
    return tuple(dict.fromkeys(volume.name for volume in found))


def _meant(target: Target, snapshot: Snapshot, name: str) -> list[VolumeFact]:
    if name == AUTO:
        return [v for v in snapshot.volumes if (said := described(target, snapshot, v.name)) and said.volatile]
    found = [v for v in snapshot.volumes if name in (v.name, v.key)]
    if not found:
        known = [v.key for v in snapshot.volumes]
        hint = f"{nearest(name, known)}its volumes are: {', '.join(known) or 'none'}; auto: those declared volatile"
        raise BadParameters(f"{snapshot.target} has no volume {name!r}", hint)
    return found[:1]


def _database_in(target: Target, snapshot: Snapshot, volume: str) -> str:
    """The key of a database whose data directory lies in *volume*; empty for none."""
    told = {fact.key: fact.data_directory for fact in snapshot.databases}
    for key, database in target.databases.items():
        servers = (c for c in snapshot.containers if database.service and c.service == database.service)
        for container in servers:
            if is_data(container, volume) or _covers(container, volume, told.get(key, "") or container.pgdata):
                return key
    return ""


def _covers(container: ContainerFact, volume: str, directory: str) -> bool:
    places = [mount.destination for mount in container.mounts if mount.name == volume]
    return bool(directory) and any(PurePosixPath(directory).is_relative_to(place) for place in places)
