"""Files inside images and running containers, by content, streamed from the engine."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from drillbook.errors import RunbookError
from drillbook.observe.facts import FilesFact
from drillbook.target import Code

MANIFEST_LIMIT = 8 << 20


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


@dataclass
class Found:
    """What a tar stream held: path → sha256, and the content of the one file that was asked for."""

    files: dict[str, str] = field(default_factory=dict)
    wanted: bytes = b""


def read_tar(chunks: Iterator[bytes], strip: str, wanted: str = "") -> Found:
    """Every regular file and link of a tar stream by content, the folder *strip* taken off the front."""
    found = Found()
    source = io.BufferedReader(Stream(chunks), 1 << 20)
    with tarfile.open(fileobj=source, mode="r|*", errors="backslashreplace") as archive:
        for member in archive:
            path = _below(member.name, strip)
            if member.issym():
                found.files[path] = hashlib.sha256(member.linkname.encode()).hexdigest()
            elif member.islnk():  # a second name of a file that came before
                found.files[path] = found.files.get(_below(member.linkname, strip), "")
            elif member.isfile():
                _file(archive, member, path, wanted, found)
    return found


def _below(name: str, strip: str) -> str:
    return name.removeprefix("./").lstrip("/").removeprefix(f"{strip}/")


def _file(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str, wanted: str, found: Found) -> None:
    handle = archive.extractfile(member)
    assert handle is not None
    if path == wanted and member.size <= MANIFEST_LIMIT:
        found.wanted = handle.read()
        found.files[path] = hashlib.sha256(found.wanted).hexdigest()
    else:
        found.files[path] = hashlib.file_digest(handle, "sha256").hexdigest()  # type: ignore[arg-type]


def image_files(engine: Any, image: str, service: str, code: Code) -> FilesFact:
    """The service's code in *image*, from a container that is created, never started, and removed.

    Changes nothing that lasts: the helper container is gone before this returns.

    Raises:
        RunbookError: the image is gone from the engine.
    """
    import docker

    try:
        labels = (engine.api.inspect_image(image)["Config"] or {}).get("Labels") or {}
    except docker.errors.ImageNotFound as error:
        raise RunbookError(f"image {image[:19]} of {service} is gone from the engine", "build it again") from error
    helper = engine.api.create_container(image, command=["true"], labels={"drillbook.helper": "digest"})
    try:
        found = _archive(engine, helper["Id"], code)
    finally:
        engine.api.remove_container(helper["Id"], v=True, force=True)
    return FilesFact(image, service, code.image, found.files, labels, _sources(found.wanted))


def process_files(engine: Any, container: str, service: str, code: Code) -> FilesFact:
    """The service's code as the running container sees it, mounts included. Changes nothing."""
    found = _archive(engine, container, code)
    return FilesFact(container, service, code.image, found.files, {}, _sources(found.wanted))


def _archive(engine: Any, container: str, code: Code) -> Found:
    import docker

    try:
        chunks, _ = engine.api.get_archive(container, code.image)
    except docker.errors.NotFound:
        return Found()
    return read_tar(iter(chunks), code.image.rstrip("/").rsplit("/", 1)[-1], code.manifest)


def _sources(manifest: bytes) -> dict[str, str]:
    try:
        told = json.loads(manifest or b"{}")
    except ValueError:
        return {}
    sources = told.get("sources") if isinstance(told, dict) else None
    return {str(k): str(v) for k, v in sources.items()} if isinstance(sources, dict) else {}
