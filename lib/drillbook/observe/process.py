"""What one running container sees of its code where that is not simply its image's. See docs/decisions/0008."""

from __future__ import annotations

import posixpath
from typing import Any

from drillbook.observe import inside, openat
from drillbook.observe.changed import changed_files
from drillbook.observe.facts import ContainerFact, FilesFact, Mount, ProcessFact
from drillbook.observe.files import spoken_for, told_by
from drillbook.observe.image import seconds
from drillbook.observe.mounted import Look, mounted_files
from drillbook.target import Code


def process_files(engine: Any, container: ContainerFact, image: FilesFact | None, code: Code) -> ProcessFact:
    """What the container's own layer changed below the code's folder, and what its mounts put there.

    Changes nothing, and holds no lock of the container's for longer than one small file takes.

    Raises:
        RunbookError: it has gone, or the engine breaks off.
    """
    with spoken_for(f"container {container.name}"), openat.held(inside.root_of(engine, container.id)) as root:
        mounts = {_cover(m, code.image): m for m in container.mounts if _touches(m, code.image)}
        look = Look(engine, container, root, code, image)
        for cover, mount in mounts.items():
            mounted_files(look, cover, mount)
        changed_files(look, tuple(mounts))
    sources, build_id = _manifest(look, image, code)
    return ProcessFact(
        container=container.id,
        name=container.name,
        service=container.service,
        image_id=container.image_id,
        started_at=seconds(container.started),
        changed=look.changed,
        mounted=look.mounted,
        covers={cover: _origin(mount) for cover, mount in mounts.items()},
        changed_at=look.changed_at,
        unread=look.unread,
        built_from=sources,
        build_id=build_id,
    )


def _manifest(look: Look, image: FilesFact | None, code: Code) -> tuple[dict[str, str], str]:
    """What the manifest that the process sees says: a changed or mounted one, else the image's."""
    if {code.manifest, code.build_id} & look.wanted.keys():
        return told_by(look.wanted.get(code.manifest, b""), look.wanted.get(code.build_id, b""))
    return (dict(image.built_from), image.build_id) if image else ({}, "")


def _touches(mount: Mount, folder: str) -> bool:
    inner, outer = f"{mount.destination.rstrip('/')}/", f"{folder.rstrip('/')}/"
    return inner.startswith(outer) or outer.startswith(inner)


def _cover(mount: Mount, folder: str) -> str:
    """The path below the code's folder that *mount* covers; `.` for the whole."""
    path = posixpath.relpath(mount.destination, folder)
    return "." if path == "." or path.startswith("..") else path


def _origin(mount: Mount) -> str:
    return f"{mount.kind} {mount.name or mount.source}".strip()
