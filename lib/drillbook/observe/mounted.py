"""Code that a mount puts into a container."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drillbook.observe import inside
from drillbook.observe.asked import file_of, stat_of
from drillbook.observe.facts import ContainerFact, FilesFact, Mount
from drillbook.observe.files import MANIFEST_LIMIT, archive, suppress_gone
from drillbook.target import Code

READ_BYTES = 64 << 20
"""A single file over this is not read: it is data, or it would hold the container for too long."""
TREE_FILES = 100_000


@dataclass
class Look:
    """What is found while one container is looked at; `root` is its file system, where that can be read here."""

    engine: Any
    container: ContainerFact
    root: Path | None
    code: Code
    image: FilesFact | None
    changed: dict[str, str] = field(default_factory=dict)
    mounted: dict[str, str] = field(default_factory=dict)
    changed_at: dict[str, float] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    wanted: dict[str, bytes] = field(default_factory=dict)

    @property
    def manifests(self) -> set[str]:
        return {self.code.manifest, self.code.build_id} - {""}

    def keep(self, into: dict[str, str], path: str, seen: inside.Seen) -> None:
        """Note what was seen at *path*, with the content of a manifest."""
        into[path], self.changed_at[path] = seen.digest, seen.changed
        if path in self.manifests and seen.place.stat().st_size <= MANIFEST_LIMIT:
            self.wanted[path] = seen.place.read_bytes()

    def ask(self, into: dict[str, str], path: str, whole: str) -> None:
        """Note the one small file at *whole*, asked of the engine."""
        into[path], self.changed_at[path], content = file_of(self.engine, self.container.id, whole)
        if path in self.manifests:
            self.wanted[path] = content


def mounted_files(look: Look, cover: str, mount: Mount) -> None:
    """Note every file that *mount* puts at *cover*; what cannot be read, with the reason."""
    if look.root is not None:
        place = inside.safely(look.root, mount.destination)
        if place is None:
            look.unread[cover] = "a link leads there"
            return
        _from_here(look, cover, mount, place)
    elif mount.kind == "tmpfs":
        look.unread[cover] = "a tmpfs of a container on another machine"
    else:
        _from_engine(look, cover, mount)


def _from_engine(look: Look, cover: str, mount: Mount) -> None:
    told = stat_of(look.engine, look.container.id, mount.destination)
    if told is None or (not told.is_folder and told.bytes > READ_BYTES):
        look.unread[cover] = f"gone, or over {READ_BYTES >> 20} MB"
    elif told.is_folder:
        _from_helper(look, cover, mount)
    else:
        # older engines mount the source anew for this, and miss that it was replaced; /proc alone knows better
        look.ask(look.mounted, cover, mount.destination)


def _from_here(look: Look, cover: str, mount: Mount, place: Path) -> None:
    if not place.is_dir():
        entries: Iterator[tuple[str, Path]] = iter([("", place)])
    else:
        entries = inside.walk(place)
    for number, (name, path) in enumerate(entries):
        if number >= TREE_FILES:
            look.unread[cover] = f"more than {TREE_FILES:,} files"
            return
        below = _below(look, cover, mount, name)
        seen = inside.look(path, READ_BYTES) if below is not None else None
        if seen is not None and below is not None:  # anything else is data, or lies beside the code
            look.keep(look.mounted, below, seen)


def _below(look: Look, cover: str, mount: Mount, name: str) -> str | None:
    """The path below the code's folder of *name* in the mount; None for what lies beside the code."""
    whole = posixpath.normpath(posixpath.join(mount.destination, name)) if name else mount.destination
    path = posixpath.relpath(whole, look.code.image)
    return None if path.startswith("../") or (cover != "." and not whole.startswith(mount.destination)) else path


def _from_helper(look: Look, cover: str, mount: Mount) -> None:
    """Read the mount through a container of the same image, made with the same mount read-only and never started.

    `no_copy` keeps an empty volume empty: docker would fill it from the image.
    """
    from docker.types import Mount as Bind

    api = look.engine.api
    kind: Any = mount.kind
    origin = mount.name or mount.source
    bind = Bind(mount.destination, origin, type=kind, read_only=True, no_copy=mount.kind == "volume")
    host = api.create_host_config(mounts=[bind])
    made = api.create_container(
        look.container.image_id, command=["true"], labels={"drillbook.helper": "mount"}, host_config=host
    )
    try:
        found = archive(look.engine, made["Id"], mount.destination, ())
    finally:
        with suppress_gone():
            api.remove_container(made["Id"], v=True, force=True)
    for name, digest in found.files.items():
        below = _below(look, cover, mount, name)
        if below is not None:
            look.mounted[below] = digest
            look.changed_at[below] = float(found.stamps.get(name, (0, 0))[1])
    for path in look.manifests & look.mounted.keys():
        look.ask(look.mounted, path, posixpath.join(look.code.image, path))
