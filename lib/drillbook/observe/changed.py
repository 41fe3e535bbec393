"""Files that a container's own writable layer changed."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from drillbook.observe import openat
from drillbook.observe.asked import stat_of
from drillbook.observe.generated import GENERATED
from drillbook.observe.layer import changes
from drillbook.observe.mounted import READ_BYTES, Look
from drillbook.observe.names import printable

MOST = 300
"""Changed files that are read; a container that changed more rewrites its own code."""


def changed_files(look: Look, covers: tuple[str, ...]) -> None:
    """Note the files below the code's folder that the container's layer changed, added or removed."""
    from pathspec import PathSpec

    generated = PathSpec.from_lines("gitignore", (*GENERATED, *look.code.generated))
    found = changes(look.engine, look.container.id, look.code.image, here=look.root is not None)
    folders, ours, left = {posixpath.dirname(raw) for raw in found}, set(_folders(look)) if found else set(), 0
    for raw, kind in sorted(found.items(), key=lambda pair: printable(pair[0])):
        path = printable(raw)
        if path in covers or generated.match_file(path):
            continue
        if kind != "changed":
            _gone(look, path, whole=kind == "removed")
        elif path and raw not in folders and left >= MOST:
            look.unread[path] = f"more than {MOST} files were changed"
            return
        elif path and raw not in folders:
            left += _read(look, path, posixpath.join(look.code.image, raw))
            if path in ours and path in look.changed:  # a folder of the image's gave way to it
                _gone(look, path, whole=False)


def _folders(look: Look) -> Iterator[str]:
    """The folders of the image's code."""
    for path in look.image.files if look.image else ():
        while path := posixpath.dirname(path):
            yield path


def _gone(look: Look, path: str, *, whole: bool) -> None:
    """Note that the image's files below *path* are gone; *whole*: *path* itself is, too."""
    files = look.image.files if look.image else {}
    gone = [name for name in files if not path or name == path or name.startswith(f"{path}/")]
    look.changed.update(dict.fromkeys(gone or [path] if whole else gone, ""))


def _read(look: Look, path: str, whole: str) -> int:
    """Note the file's content; 1 when it was one, 0 for a folder."""
    with openat.held(openat.folder(look.root, posixpath.dirname(whole)) if look.root is not None else None) as above:
        if above is None:
            return _ask(look, path, whole)
        name = openat.named(above, posixpath.basename(whole))
        if name is None:
            look.unread[path] = "its name cannot be told from another"
        elif openat.is_folder(above, name):
            return 0
        elif not look.keep(look.changed, printable(posixpath.join(posixpath.dirname(path), name)), above, name):
            look.unread[path] = f"gone, no file, or over {READ_BYTES >> 20} MB"
    return 1


def _ask(look: Look, path: str, whole: str) -> int:
    """The same through the engine: its stat first, then that one small file."""
    told = stat_of(look.engine, look.container.id, whole)
    if told is None:
        look.unread[path] = "gone, or its name is not UTF-8"
    elif told.bytes > READ_BYTES:
        look.unread[path] = f"over {READ_BYTES >> 20} MB"
    elif not told.is_folder:
        look.ask(look.changed, path, whole)
    return 0 if told and told.is_folder else 1
