"""The target's volumes beside those of its databases, and their contents as tar streams from the engine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from drillbook.errors import RunbookError
from drillbook.observe import engine
from drillbook.observe.facts import ContainerFact
from drillbook.observe.helper import helper
from drillbook.observe.tar_stream import members
from drillbook.target import Target

PLACE = "/drillbook-volume"
DATA_FOLDERS = ("/var/lib/postgresql", "/bitnami/postgresql", "/var/lib/pgsql")


@dataclass(frozen=True)
class DeclaredVolume:
    """A named volume of the project that is archived as files.

    `containers` are all of the target's containers that mount it, by name;
    `image_id` is one of theirs, to make helper containers from.
    """

    name: str
    key: str
    kind: Literal["files", "redis"]
    service: str
    destination: str
    image_id: str
    container_id: str
    running: bool
    containers: tuple[str, ...]


@dataclass(frozen=True)
class Tree:
    """What a tar stream held: members, bytes of file content, and a digest over both."""

    members: int
    bytes: int
    digest: str


def declared_volumes(target: Target) -> tuple[DeclaredVolume, ...]:
    """Every named volume of the target's project but the databases' own data. Changes nothing."""
    if target.stack is None:
        return ()
    everything = engine.containers(target)
    services = {database.service for database in target.databases.values()}
    found = []
    for volume in engine.volumes(target):
        holders = [c for c in everything if any(m.name == volume.name for m in c.mounts)]
        if not any(c.service in services and is_data(c, volume.name) for c in holders):
            found.append(_declared(target, volume.name, volume.key, holders or list(everything)[:1], bool(holders)))
    return tuple(found)


def is_data(container: ContainerFact, volume: str) -> bool:
    """Whether *container*, of a database's service, has its data in *volume*."""
    return any(m.name == volume and m.destination.startswith(DATA_FOLDERS) for m in container.mounts)


def _declared(target: Target, name: str, key: str, near: list[ContainerFact], mounted: bool) -> DeclaredVolume:
    if not near:
        raise RunbookError(
            f"volume {name} has no container beside it whose image could read it",
            "start the stack (docker compose up -d), then run this again",
        )
    wanted = target.volumes.get(key) or target.volumes.get(name)
    service = wanted.service if wanted and wanted.service else near[0].service
    first = next((c for c in near if c.service == service), near[0])
    destination = next((m.destination for m in first.mounts if m.name == name), "")
    return DeclaredVolume(
        name=name, key=key, kind=wanted.kind if wanted else "files", service=service if mounted else "",
        destination=destination, image_id=first.image_id, container_id=first.id, running=first.running,
        containers=tuple(sorted(c.name for c in near)) if mounted else (),
    )  # fmt: skip


@contextmanager
def window(client: Any, image_id: str, volume: str, mode: Literal["ro", "rw"], label: str) -> Iterator[str]:
    """The id of a container that is created, never started, and shows *volume* at `PLACE`; removed at the end.

    Changes nothing that lasts.
    """
    host = client.api.create_host_config(binds={volume: {"bind": PLACE, "mode": mode}}, network_mode="none")
    with helper(client.api, image_id, label, host_config=host, entrypoint=["true"]) as made:
        yield made


def archive(client: Any, container: str) -> Iterator[bytes]:
    """The volume that *container* shows at `PLACE`, as the chunks of a tar stream; member names begin with `.`."""
    chunks, _ = client.api.get_archive(container, f"{PLACE}/.")
    return iter(chunks)


def tree_of(chunks: Iterator[bytes]) -> Tree:
    """Read a tar stream to its end, every member whole.

    Raises:
        tarfile.TarError, EOFError: it is cut, or is no tar stream.
    """
    return listed(chunks).tree


@dataclass(frozen=True)
class Listing:
    """Every member of a tar stream but its root: name → what it is; `links` are hard links, name → first name."""

    members: Mapping[str, str]
    links: Mapping[str, str]
    bytes: int

    @property
    def tree(self) -> Tree:
        """One digest over all of it."""
        lines = sorted(f"{name}\0{what}" for name, what in self.members.items())
        whole = hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()
        return Tree(len(lines), self.bytes, whole)

    def beyond(self, other: Listing) -> str:
        """The first member that *other* has not got exactly so; empty when it holds all of this one.

        Which of its names a file with several is listed under does not count: it depends on which are there.
        """
        return next((name for name in sorted(self.members) if self.what(name) != other.what(name)), "")

    def what(self, name: str) -> str | None:
        """What *name* is, by whichever name its content is listed; None for no member."""
        return self.members.get(self.links.get(name, name))


def listed(chunks: Iterator[bytes]) -> Listing:
    """Read a tar stream to its end, every member whole.

    Raises:
        tarfile.TarError, EOFError: it is cut, or is no tar stream.
    """
    found: dict[str, str] = {}
    links, size = {}, 0
    for member in members(chunks):
        info, name = member.info, _inside(member.info.name)
        content = info.linkname
        if info.isreg():
            content = member.sha256()
            size += info.size
        if info.islnk():
            links[name] = _inside(info.linkname)
        if name != ".":
            found[name] = f"{info.type!r}\0{info.mode:o}\0{info.uid}:{info.gid}\0{info.size}\0{content}"
    return Listing(found, links, size)


def _inside(name: str) -> str:
    return name.removeprefix("./").rstrip("/") or "."
