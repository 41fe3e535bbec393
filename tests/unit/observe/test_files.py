"""Files of images and containers, read from the engine's tar streams."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

import builders
import pytest

from drillbook.observe.files import _sources, read_tar


def packed(*members: tuple[str, bytes], links: tuple[tuple[str, str, bytes], ...] = ()) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name, target, kind in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    return out.getvalue()


def chunked(data: bytes, size: int = 700) -> Iterator[bytes]:
    yield b""
    for start in range(0, len(data), size):
        yield data[start : start + size]


def test_files_by_content_without_the_folder() -> None:
    """Each file is told by its path below the folder and the sha256 of its content."""
    found = read_tar(chunked(packed(("app/server.js", b"server"), ("app/lib/db.js", b"db"))), "app")
    assert found.files == {"server.js": builders.digest("server"), "lib/db.js": builders.digest("db")}


@pytest.mark.parametrize("size", [1, 511, 512, 10_000])
def test_chunks_of_any_size(size: int) -> None:
    """However the engine cuts its stream, the content is the same."""
    data = packed(("app/big", b"x" * 5000))
    assert read_tar(chunked(data, size), "app").files == {"big": builders.digest("x" * 5000)}


def test_odd_names() -> None:
    """A newline, a blank or a very long name is kept; what is not UTF-8 is escaped, so that it can be shown."""
    names = ["line\nbreak", "a b", "x" * 300]
    found = read_tar(chunked(packed(*((f"app/{name}", b"1") for name in names))), "app")
    assert sorted(found.files) == sorted(names)
    odd = packed(("app/?", b"1")).replace(b"app/?", b"app/\xff", 1)
    odd = retally(odd)
    (name,) = read_tar(chunked(odd), "app").files
    assert name == "\\xff"
    assert name.encode()


def retally(data: bytes) -> bytes:
    """The archive with its first header's checksum made right."""
    header = data[:148] + b" " * 8 + data[156:512]
    return data[:148] + b"%06o\0 " % sum(header) + data[156:]


def test_links() -> None:
    """A symbolic link counts by where it points, a hard link as the file it is another name of."""
    links = (("app/link", "server.js", tarfile.SYMTYPE), ("app/second", "app/server.js", tarfile.LNKTYPE))
    found = read_tar(chunked(packed(("app/server.js", b"server"), links=links)), "app")
    assert found.files["link"] == builders.digest("server.js")
    assert found.files["second"] == found.files["server.js"]


def test_folders_and_devices_are_no_files() -> None:
    """Only what has content is told."""
    links = (("app/folder", "", tarfile.DIRTYPE), ("app/pipe", "", tarfile.FIFOTYPE))
    assert read_tar(chunked(packed(links=links)), "app").files == {}


def test_manifest_is_read_on_the_way() -> None:
    """The one file that was asked for is kept with its content, and hashed like the rest."""
    found = read_tar(chunked(packed(("app/.next/m.json", b"{}"), ("app/x", b"x"))), "app", ".next/m.json")
    assert found.wanted == b"{}"
    assert found.files[".next/m.json"] == builders.digest("{}")


@pytest.mark.parametrize(
    ("manifest", "sources"),
    [
        (b'{"sources": {"lib/db.js": "abc"}}', {"lib/db.js": "abc"}),
        (b'{"sources": ["lib/db.js"]}', {}),
        (b"[]", {}),
        (b"not json", {}),
        (b"\xff", {}),
        (b"", {}),
    ],
)
def test_manifest_of_another_shape_tells_nothing(manifest: bytes, sources: dict[str, str]) -> None:
    """A bundle whose manifest is not as expected tells nothing of its sources, and breaks nothing."""
    assert _sources(manifest) == sources
