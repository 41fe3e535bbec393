"""Files that are whole or not there: written aside, synced, then renamed into place."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def replace(file: Path, data: bytes) -> None:
    """Put *data* in the place of *file*, mode 0600; a crash leaves the old content or the new one.

    Changes *file*; both it and its folder's entry are on disk when this returns.
    """
    aside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(file)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def folder(path: Path) -> Path:
    """*path* as a folder that only its owner reads; parents are made alike."""
    for place in [*reversed(path.parents), path]:
        if not place.exists():
            place.mkdir(mode=0o700, exist_ok=True)
    return path
