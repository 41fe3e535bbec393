"""Files inside images, by content, streamed from the engine."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from drillbook.errors import RunbookError
from drillbook.observe.digests import key_of, recall, remember
from drillbook.observe.facts import FilesFact
from drillbook.observe.helper import helper
from drillbook.observe.names import printable
from drillbook.observe.tar_stream import CHUNK, members
from drillbook.target import Code

MANIFEST_LIMIT = 8 << 20


@dataclass
class Found:
    """What a tar stream held: path → sha256 and stamp, and the content of the files that were asked for."""

    files: dict[str, str] = field(default_factory=dict)
    stamps: dict[str, tuple[int, int]] = field(default_factory=dict)
    wanted: dict[str, bytes] = field(default_factory=dict)


def read_tar(chunks: Iterator[bytes], strip: str, wanted: Container[str] = ()) -> Found:
    """Every regular file and link of a tar stream by content, the folder *strip* taken off the front.

    Raises:
        tarfile.TarError: the stream is cut.
    """
    found = Found()
    for member in members(chunks):
        info = member.info
        path = _below(printable(info.name), strip)
        if info.issym():
            found.files[path] = hashlib.sha256(os.fsencode(info.linkname)).hexdigest()
        elif info.islnk():  # a second name of a file that came before
            found.files[path] = found.files.get(_below(printable(info.linkname), strip), "")
        elif info.isfile():
            found.stamps[path] = (info.size, int(info.mtime))
            if path in wanted and info.size <= MANIFEST_LIMIT:
                found.wanted[path] = b"".join(member.pieces())
                found.files[path] = hashlib.sha256(found.wanted[path]).hexdigest()
            else:
                found.files[path] = member.sha256()
    return found


def _below(name: str, strip: str) -> str:
    return name.removeprefix("./").lstrip("/").removeprefix(f"{strip}/")


def image_files(engine: Any, image: str, service: str, code: Code) -> FilesFact:
    """The service's code in *image*, from a container that is created, never started, and removed.

    Changes nothing that lasts: the helper container is gone before this returns. What
    the same layers held is remembered, and not read again.

    Raises:
        RunbookError: the image is gone from the engine, or the engine breaks off.
    """
    with spoken_for(f"image {image[:19]} of {service}"):
        seen = engine.api.inspect_image(image)
        labels = (seen["Config"] or {}).get("Labels") or {}
        key = key_of("image", seen["RootFS"].get("Layers") or image, code.image, code.manifest, code.build_id)
        told = recall("image", key)
        if not told:
            told = _look(engine, image, code)
            remember("image", key, told)
    stamps = {path: (size, time) for path, (size, time) in told["stamps"].items()}
    return FilesFact(
        image, service, code.image, told["files"], labels, told["built_from"], stamps,
        str(told["build_id"]), code.manifest,
    )  # fmt: skip


def _look(engine: Any, image: str, code: Code) -> dict[str, Any]:
    with helper(engine.api, image, "digest") as container:
        found = archive(engine, container, code.image, {code.manifest, code.build_id})
    sources, build_id = told_by(found.wanted.get(code.manifest, b""), found.wanted.get(code.build_id, b""))
    return {"files": found.files, "stamps": found.stamps, "built_from": sources, "build_id": build_id}


@contextmanager
def spoken_for(what: str) -> Iterator[None]:
    """Turns what the engine, or the way to it, may say into a fact about *what*.

    Raises:
        RunbookError: it is gone, or the engine breaks off.
    """
    import docker
    import requests

    try:
        yield
    except docker.errors.NotFound as error:
        raise RunbookError(f"{what} is gone from the engine", "build or start it again", str(error)) from error
    except (docker.errors.DockerException, requests.RequestException, OSError, tarfile.TarError) as error:
        said = getattr(error, "explanation", None) or str(error) or type(error).__name__
        raise RunbookError(f"{what} could not be read: {said}", "run this again; nothing was changed") from error


def archive(engine: Any, container: str, folder: str, wanted: Container[str]) -> Found:
    """All files below *folder* of a container that does not run; nothing where it has no such folder."""
    import docker

    try:
        chunks, _ = engine.api.get_archive(container, folder, chunk_size=CHUNK)
    except docker.errors.NotFound as error:
        if "No such container" in str(error.explanation):
            raise
        return Found()
    return read_tar(iter(chunks), printable(folder.rstrip("/").rsplit("/", 1)[-1]), wanted)


def told_by(manifest: bytes, build_id: bytes = b"") -> tuple[dict[str, str], str]:
    """What a bundle's manifest says: its sources, path → sha256, and its build; the build id file's first line else."""
    line = build_id.decode(errors="replace").strip().partition("\n")[0][:200]
    try:
        told = json.loads(manifest or b"{}")
    except ValueError:
        return {}, line
    if not isinstance(told, dict):
        return {}, line
    sources = told.get("sources")
    named = {str(k): str(v) for k, v in sources.items()} if isinstance(sources, dict) else {}
    return named, str(told.get("build_id") or line)[:200]
