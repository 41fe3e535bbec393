"""Where a vault's files lie: a folder of this machine, or any place that fsspec reaches (S3 and its like)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

CHUNK = 1 << 20


class Store(Protocol):
    """The files of one vault, by names relative to it, with slashes.

    A file that is there is whole. Whatever a method raises of its own is a
    `VaultError`; a disk's `OSError` goes through: who writes knows what a full disk means.
    """

    url: str
    folder: Path | None
    """The folder on this machine; None where there is none."""

    def sizes(self) -> dict[str, int]:
        """name → bytes of every file. Changes nothing."""

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of the file *name*, piece by piece."""

    def read(self, name: str) -> bytes:
        """The whole file *name*, which must be small."""

    def put(self, file: Path, name: str) -> None:
        """The local *file* under *name*, whole or not at all."""

    def write(self, data: bytes, name: str) -> None:
        """*data* under *name*; FileExistsError where that is taken."""

    def remove(self, *names: str) -> None:
        """Remove these files, in order; one that is gone already is no error."""

    def remove_folder(self, name: str) -> None:
        """Remove everything below the folder *name*, on a disk the folder too."""


def store_at(url: str, options: Mapping[str, Any] | None = None) -> Store:
    """The store at *url*, a path or what fsspec takes; *options* are fsspec's. Nothing is opened yet."""
    if "://" in url:
        from drillbook.vault.objects import ObjectStore

        return ObjectStore(url, options or {})
    from drillbook.vault.disk import DiskStore

    return DiskStore(Path(url))
