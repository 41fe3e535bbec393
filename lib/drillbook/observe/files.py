"""Files inside images and running containers, by content, streamed from the engine."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator
from typing import Any

from drillbook.observe.facts import FilesFact


class Stream(io.RawIOBase):
    """The chunks of an HTTP answer as a file that can only be read forwards."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def digests(chunks: Iterator[bytes], strip: str) -> dict[str, str]:
    """path → sha256 of every regular file and link of a tar stream, *strip* taken off the front."""
    found = {}
    with tarfile.open(fileobj=io.BufferedReader(Stream(chunks), 1 << 20), mode="r|*") as archive:
        for member in archive:
            name = member.name.removeprefix("./").lstrip("/")
            if strip and not name.startswith(f"{strip}/"):
                continue
            path = name.removeprefix(f"{strip}/")
            if member.issym():
                found[path] = hashlib.sha256(member.linkname.encode()).hexdigest()
            elif member.isfile():
                handle = archive.extractfile(member)
                assert handle is not None
                found[path] = hashlib.file_digest(handle, "sha256").hexdigest()  # type: ignore[arg-type]
    return found


def image_files(engine: Any, image: str, folder: str, service: str) -> FilesFact:
    """The files below *folder* of the image, from a container that is created, never started, and removed.

    Changes nothing that lasts: the helper container is gone before this returns.
    """
    config = engine.api.inspect_image(image)["Config"] or {}
    helper = engine.api.create_container(image, command=["true"], labels={"drillbook.helper": "digest"})
    try:
        files = _archive(engine, helper["Id"], folder)
    finally:
        engine.api.remove_container(helper["Id"], v=True, force=True)
    return FilesFact(image, service, files, config.get("Labels") or {})


def process_files(engine: Any, container: str, folder: str, service: str) -> FilesFact:
    """The files below *folder* as the running container sees them, mounts included. Changes nothing."""
    return FilesFact(container, service, _archive(engine, container, folder))


def _archive(engine: Any, container: str, folder: str) -> dict[str, str]:
    import docker

    try:
        chunks, _ = engine.api.get_archive(container, folder)
    except docker.errors.NotFound:
        return {}
    return digests(iter(chunks), folder.rstrip("/").rsplit("/", 1)[-1])
