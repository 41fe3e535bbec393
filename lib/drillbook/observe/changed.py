"""Files that a container's own writable layer changed."""

from __future__ import annotations

import posixpath

from drillbook.observe import openat
from drillbook.observe.asked import stat_of
from drillbook.observe.generated import GENERATED
from drillbook.observe.mounted import READ_BYTES, Look
from drillbook.observe.names import printable

MOST = 300
"""Changed files that are read; a container that changed more rewrites its own code."""
REMOVED = 2


def changed_files(look: Look, covers: tuple[str, ...]) -> None:
    """Note the files below the code's folder that the container's layer changed, added or removed."""
    from pathspec import PathSpec

    generated = PathSpec.from_lines("gitignore", (*GENERATED, *look.code.generated))
    found = look.engine.api.diff(look.container.id) or []
    paths = {_relative(look, row["Path"]): row for row in found}
    folders = {posixpath.dirname(path) for path in paths}
    left = 0
    for path, row in sorted(paths.items()):
        if not path or (path in folders and row["Kind"] != REMOVED) or generated.match_file(path) or path in covers:
            continue
        if row["Kind"] == REMOVED:
            _removed(look, path)
        elif left >= MOST:
            look.unread[path] = f"more than {MOST} files were changed"
            return
        else:
            left += _read(look, path, row["Path"])


def _relative(look: Look, path: str) -> str:
    """The printable path below the code's folder; empty for anything else."""
    folder = f"{look.code.image.rstrip('/')}/"
    return printable(path.removeprefix(folder)) if path.startswith(folder) else ""


def _removed(look: Look, path: str) -> None:
    """A file that is gone, or a folder with all the image's files in it."""
    files = look.image.files if look.image else {}
    gone = [name for name in files if name == path or name.startswith(f"{path}/")]
    look.changed.update(dict.fromkeys(gone or [path], ""))


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
