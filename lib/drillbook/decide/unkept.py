"""Where the files of a target's databases lie in their containers, and whether they outlive them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from drillbook.observe.facts import ContainerFact, DatabaseFact, Mount, Snapshot
from drillbook.target import Target

DEFAULT = "/var/lib/postgresql/data"
"""PGDATA of the official images up to 17; later ones, as most others, tell their own in the environment."""
SERVER = "so says the server"


@dataclass(frozen=True)
class Place:
    """Where the files of the database *key*, or its *tablespace*, lie in *container*, and who says so.

    `mount` is what holds the directory: the one nearest above it; None for the container's own
    layer. A symbolic link is not followed: from outside of the container it cannot be.
    """

    key: str
    container: ContainerFact
    directory: str
    told_by: str
    mount: Mount | None
    tablespace: str = ""

    @property
    def is_kept(self) -> bool:
        """Whether the files lie in a volume with a name, or on a bind."""
        return self.mount is not None and self.mount.kind != "tmpfs" and not self.mount.anonymous

    @property
    def root(self) -> str:
        """The folder that a named volume must take the place of."""
        return self.mount.destination if self.mount else self.directory

    def as_json(self) -> dict[str, Any]:
        return {
            "database": self.key,
            "tablespace": self.tablespace,
            "container": self.container.name,
            "directory": self.directory,
            "told_by": self.told_by,
            "kind": self.mount.kind if self.mount else "layer",
            "volume": self.mount.name if self.mount else "",
        }


def unkept(target: Target, snapshot: Snapshot) -> tuple[Place, ...]:
    """The places of databases in the stack's services whose files go with their container. Changes nothing.

    Tablespaces come first: they can be emptied into the data directory while the server runs.
    """
    told = {fact.key: fact for fact in snapshot.databases}
    places = [
        place
        for key, database in target.databases.items()
        for container in snapshot.containers
        if container.service == database.service
        for place in _places(key, container, told.get(key))
    ]
    return tuple(sorted((place for place in places if not place.is_kept), key=lambda place: not place.tablespace))


def _places(key: str, container: ContainerFact, told: DatabaseFact | None) -> Iterator[Place]:
    for name, folder in told.tablespaces.items() if told else ():
        yield Place(key, container, folder, SERVER, _mount(container, folder), name)
    yield _data(key, container, told.data_directory if told else "")


def _data(key: str, container: ContainerFact, told: str) -> Place:
    sayers = (
        (told, SERVER),
        (container.pgdata, "so says its PGDATA"),
        (DEFAULT, "where PostgreSQL's images keep them; nobody says otherwise"),
    )
    directory, told_by = next(pair for pair in sayers if pair[0])
    return Place(key, container, directory, told_by, _mount(container, directory))


def _mount(container: ContainerFact, directory: str) -> Mount | None:
    in_memory = (Mount("tmpfs", "", "", path) for path in container.tmpfs)
    above = [m for m in (*container.mounts, *in_memory) if PurePosixPath(directory).is_relative_to(m.destination)]
    return max(above, key=lambda mount: len(PurePosixPath(mount.destination).parts), default=None)
