"""Code that a mount puts into a container."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import Any

from drillbook.observe import inside, openat
from drillbook.observe.asked import file_of, stat_of
from drillbook.observe.facts import ContainerFact, FilesFact, Mount
from drillbook.observe.files import MANIFEST_LIMIT, archive
from drillbook.observe.helper import helper
from drillbook.target import Code

READ_BYTES = 64 << 20
"""A single file over this is not read: it is data, or it would hold the container for too long."""
TREE_FILES = 100_000


@dataclass
class Look:
    """What is found while one container is looked at; `root` is an open folder, where that can be read here."""

    engine: Any
    container: ContainerFact
    root: int | None
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

    def keep(self, into: dict[str, str], path: str, above: int, name: str) -> bool:
        """Note the file *name* in the open folder *above* as *path*, with a manifest's content; False where it is none.

        A manifest that is a link tells nothing, as in the image.
        """
        is_manifest = path in self.manifests
        try:
            seen = inside.look(above, name, READ_BYTES, MANIFEST_LIMIT if is_manifest else 0)
        except OSError as error:
            self.unread[path] = f"it cannot be read: {error.strerror}"
            return True
        if seen is None:
            return False
        into[path], self.changed_at[path] = seen.digest, seen.changed
        if is_manifest:
            self.wanted[path] = seen.content
        return True

    def ask(self, into: dict[str, str], path: str, whole: str) -> None:
        """Note the one small file at *whole*, asked of the engine."""
        into[path], self.changed_at[path], content = file_of(self.engine, self.container.id, whole)
        if path in self.manifests:
            self.wanted[path] = content


def mounted_files(look: Look, cover: str, mount: Mount) -> None:
    """Note every file that *mount* puts at *cover*; what cannot be read, with the reason."""
    if look.root is not None:
        with openat.held(openat.folder(look.root, posixpath.dirname(mount.destination))) as above:
            _from_here(look, cover, mount, above)
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


def _from_here(look: Look, cover: str, mount: Mount, above: int | None) -> None:
    """Read it below the open folder *above*. What lies beside the code is not read; what is no file is data."""
    name = posixpath.basename(mount.destination)
    if above is None or openat.is_link(above, name):
        look.unread[cover] = "it is gone, or a link leads there"
        return
    with openat.held(openat.folder(above, name)) as top:
        entries = inside.walk(top) if top is not None else iter([("", above, name)])
        try:
            for number, (path, folder, entry) in enumerate(entries):
                if number >= TREE_FILES:
                    look.unread[cover] = f"more than {TREE_FILES:,} files"
                    return
                if (below := _below(look, cover, mount, path)) is not None:
                    look.keep(look.mounted, below, folder, entry)
        except OSError as error:
            look.unread[cover] = f"a folder of it cannot be read: {error.strerror}"


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
    with helper(api, look.container.image_id, "mount", host_config=host) as made:
        found = archive(look.engine, made, mount.destination, ())
    for name, digest in found.files.items():
        below = _below(look, cover, mount, name)
        if below is not None:
            look.mounted[below] = digest
            look.changed_at[below] = float(found.stamps.get(name, (0, 0))[1])
    for path in look.manifests & look.mounted.keys():
        look.ask(look.mounted, path, posixpath.join(look.code.image, path))
