"""A tar stream of the engine's, read once and forwards: each member with its content, and whether all of it came."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

CHUNK = 1 << 20
END = bytes(1024)
"""What every tar archive ends with. A daemon that fails midway ends its answer as if all were well."""


class Forwards:
    """Chunks of bytes as a file that only goes forwards."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk, self._used, self._position = b"", 0, 0
        self.tail = b""

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> int:
        """Go on to *position*, which must not lie behind."""
        while self._position < position and self.read(min(CHUNK, position - self._position)):
            pass
        return self._position

    def read(self, size: int = CHUNK) -> bytes:
        """*size* bytes; fewer only at the end."""
        data = self._chunk[self._used : self._used + size]
        self._used += len(data)
        while len(data) < size and self._next():
            more = self._chunk[: size - len(data)]
            self._used = len(more)
            data += more
        self._position += len(data)
        return data

    def _next(self) -> bool:
        chunk = next(self._chunks, None)
        if chunk is None:
            self._chunk, self._used = b"", 0
            return False
        self._chunk, self._used = chunk, 0
        self.tail = chunk[-len(END) :] if len(chunk) >= len(END) else (self.tail + chunk)[-len(END) :]
        return True


@dataclass(frozen=True)
class Member:
    """One entry of a stream. Its content can be had until the next entry is asked for, and once."""

    info: tarfile.TarInfo
    archive: tarfile.TarFile
    source: Forwards

    def pieces(self) -> Iterator[bytes]:
        """The content.

        Raises:
            tarfile.ReadError: the stream is cut.
        """
        held: Any = self.archive.extractfile(self.info) if self.info.issparse() else self.source
        left = self.info.size
        while left:
            piece = held.read(min(left, CHUNK))
            if not piece:
                raise tarfile.ReadError("the stream ends within a file")
            left -= len(piece)
            yield piece

    def sha256(self) -> str:
        """The content's digest, in hex."""
        digest = hashlib.sha256()
        for piece in self.pieces():
            digest.update(piece)
        return digest.hexdigest()


def members(chunks: Iterator[bytes]) -> Iterator[Member]:
    """Every entry of a tar stream, to its very end.

    Raises:
        tarfile.TarError: it is cut, or is no tar stream.
    """
    source = Forwards(chunks)
    given: Any = source
    with tarfile.open(fileobj=given, mode="r:", errors="surrogateescape") as archive:
        for info in archive:
            archive.members = []  # type: ignore[attr-defined]  # a stream never goes back, and 50,000 of them take 100 MB
            yield Member(info, archive, source)
    while source.read():
        pass
    if source.tail != END:
        raise tarfile.ReadError("the stream breaks off before its end")
