"""Files of images and containers, read from the engine's tar streams."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import builders
import docker
import pytest
from engine_images import made, needs_engine, run

import checkout
from drillbook.errors import RunbookError
from drillbook.observe import files
from drillbook.observe.files import image_files, read_tar, told_by
from drillbook.target import Code

SCRATCH, ONE, TWO, BROKEN = (checkout.project(f"drillbook-test-{name}") for name in ("scratch", "one", "two", "broken"))


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
    found = read_tar(chunked(packed(("app/.next/m.json", b"{}"), ("app/x", b"x"))), "app", {".next/m.json"})
    assert found.wanted == {".next/m.json": b"{}"}
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
    assert told_by(manifest)[0] == sources


@pytest.fixture
def quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of the engine, with a memory of its own."""
    monkeypatch.setenv("DRILLBOOK_OUTPUTS", str(tmp_path / "outputs"))
    found = docker.from_env()
    yield found
    found.close()


class Made:
    """Containers and volumes that a client makes from now on. Another test's are not among them."""

    def __init__(self, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.client, self.containers, self.volumes = client, set[str](), set[str]()
        self._create = client.api.create_container
        monkeypatch.setattr(client.api, "create_container", self._noted)

    def _noted(self, *given: Any, **named: Any) -> Any:
        made = self._create(*given, **named)
        self.containers.add(made["Id"])
        self.volumes.update(mount["Name"] for mount in self.client.api.inspect_container(made["Id"])["Mounts"])
        return made

    def left(self) -> set[str]:
        """Those that are still there."""
        volumes = {row["Name"] for row in self.client.api.volumes()["Volumes"] or []}
        containers = {row["Id"] for row in self.client.api.containers(all=True)}
        return (self.containers & containers) | (self.volumes & volumes)


@needs_engine
def test_an_image_without_a_shell_or_a_command(quiet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distroless image with one file and a VOLUME is read; neither helper nor volume is left behind."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/page.html").write_text("page")
    image = made(SCRATCH, tmp_path / "site", "FROM scratch\nCOPY . /app\nVOLUME /app/data\n")
    noted = Made(quiet, monkeypatch)
    try:
        fact = image_files(quiet, image, "web", Code(image="/app"))
        assert fact.files == {"page.html": builders.digest("page")}
        assert image_files(quiet, image, "web", Code(image="/nowhere")).files == {}
    finally:
        run("docker", "image", "rm", "-f", SCRATCH)
    assert (len(noted.containers), len(noted.volumes)) == (2, 2)
    assert noted.left() == set()


@needs_engine
def test_the_same_layers_are_not_read_twice(quiet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two images of the same layers, told apart by a label alone, are one reading."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/a.js").write_text("a")
    one = made(ONE, tmp_path / "site", "FROM scratch\nCOPY . /app\n")
    two = made(TWO, tmp_path / "site", f"FROM {ONE}\n")  # not built again: somebody may clear the builder's cache
    try:
        first = image_files(quiet, one, "app1", Code(image="/app"))
        monkeypatch.setattr(files, "helper", None)
        second = image_files(quiet, two, "app2", Code(image="/app"))
    finally:
        run("docker", "image", "rm", "-f", ONE, TWO)
    assert one != two
    assert first.files == second.files
    assert [fact.labels["drillbook.tests"] for fact in (first, second)] == [ONE, TWO]


@needs_engine
def test_an_image_that_is_gone_is_a_fact(quiet: Any) -> None:
    """An image that nobody has is told by its name."""
    with pytest.raises(RunbookError, match="gone from the engine"):
        image_files(quiet, "sha256:" + "0" * 64, "app1", Code(image="/app"))


@needs_engine
def test_a_stream_that_breaks_leaves_no_helper(quiet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the engine breaks off in the middle it is a fact, and the helper container is gone."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/a.js").write_text("a" * 100_000)
    image = made(BROKEN, tmp_path / "site", "FROM scratch\nCOPY . /app\n")
    real, noted = quiet.api.get_archive, Made(quiet, monkeypatch)
    monkeypatch.setattr(quiet.api, "get_archive", lambda *a, **k: ((b"x" * 700 for _ in [1]), real(*a, **k)[1]))
    try:
        with pytest.raises(RunbookError, match="could not be read"):
            image_files(quiet, image, "app1", Code(image="/app"))
    finally:
        run("docker", "image", "rm", "-f", BROKEN)
    assert len(noted.containers) == 1
    assert noted.left() == set()


def test_a_stream_that_breaks_off_is_no_shorter_image() -> None:
    """A daemon that fails midway ends its answer as if all were well: what came of it is not taken for the whole."""
    data = packed(("app/server.js", b"s" * 3000), ("app/lib/db.js", b"d" * 3000))
    ends = [0, 300, 512, 2000, 512 + 3072, 512 + 3072 + 200, 2 * (512 + 3072), 2 * (512 + 3072) + 512]
    for end in ends:
        for rest in (b"", b'{"message": "unexpected EOF"}\n'):
            with pytest.raises(tarfile.TarError):
                read_tar(chunked(data[:end] + rest), "app")
    assert len(read_tar(chunked(data[: 2 * (512 + 3072) + 1024]), "app").files) == 2
