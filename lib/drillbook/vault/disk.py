"""A vault on a disk: files that are written aside, synced, and renamed into place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from drillbook.errors import VaultError
from drillbook.vault.checksum import sync_folder
from drillbook.vault.store import CHUNK


class DiskStore:
    """A `Store` in *folder*, which need not be there yet. Files are 0600, folders 0700."""

    folder: Path | None

    def __init__(self, folder: Path) -> None:
        self.folder = self._root = folder
        self.url = str(folder)

    def sizes(self) -> dict[str, int]:
        try:
            return {file.relative_to(self._root).as_posix(): file.lstat().st_size for file in self._files()}
        except OSError as error:
            raise VaultError(f"the vault {self.url} cannot be listed: {error.strerror}", "see who owns it") from error

    def _files(self) -> Iterator[Path]:
        def failed(error: OSError) -> None:
            raise error

        if self._root.exists():
            for folder, _, names in os.walk(self._root, onerror=failed):
                yield from (Path(folder) / name for name in names)

    def chunks(self, name: str) -> Iterator[bytes]:
        with (self._root / name).open("rb") as handle:
            while piece := handle.read(CHUNK):
                yield piece

    def read(self, name: str) -> bytes:
        return (self._root / name).read_bytes()

    def put(self, file: Path, name: str) -> None:
        with self._aside(name) as aside:
            with file.open("rb") as source, _new(aside) as sink:
                shutil.copyfileobj(source, sink, CHUNK)
                _sync(sink)
            aside.replace(self._root / name)
        sync_folder((self._root / name).parent)

    def write(self, data: bytes, name: str) -> None:
        with self._aside(name) as aside:
            with _new(aside) as sink:
                sink.write(data)
                _sync(sink)
            os.link(aside, self._root / name)  # fails where the name is taken, as a rename does not
        sync_folder((self._root / name).parent)

    def remove(self, *names: str) -> None:
        for name in names:
            (self._root / name).unlink(missing_ok=True)

    def remove_folder(self, name: str) -> None:
        if (self._root / name).exists():
            shutil.rmtree(self._root / name)

    @contextmanager
    def _aside(self, name: str) -> Iterator[Path]:
        """A name beside that of *name*, in a folder that is there; gone at the end."""
        place = self._root / name
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = place.with_name(f".{place.name}.{os.urandom(4).hex()}")
        try:
            yield aside
        finally:
            aside.unlink(missing_ok=True)


def _new(file: Path) -> IO[bytes]:
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _sync(stream: IO[bytes]) -> None:
    stream.flush()
    os.fsync(stream.fileno())
