"""Checksums of files at rest: sha256, hex."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path


def sha256(file: Path) -> str:
    """The file's sha256 in hex."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sha256_synced(file: Path) -> str:
    """The file's sha256, after its bytes are on disk."""
    with file.open("rb+") as handle:
        os.fsync(handle.fileno())
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Return when the folder's own entries are on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def differences(folder: Path, expected: Mapping[str, str], extra_allowed: tuple[str, ...]) -> dict[str, str]:
    """relative path → what is wrong with it: `missing`, `differs`, or `not in the manifest`. Empty when all is well.

    Raises:
        OSError: a file that is there cannot be read.
    """
    wrong = {}
    for name, digest in expected.items():
        file = folder / name
        if not file.is_file():
            wrong[name] = "missing"
        elif sha256(file) != digest:
            wrong[name] = "differs"
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_file() and name not in expected and not name.startswith(extra_allowed):
            wrong[name] = "not in the manifest"
    return wrong
