"""A service's Dockerfile and ignore file as they lie on the host, and the image below it."""

from __future__ import annotations

from pathlib import Path

import docker
import pytest
from engines import serving_engine

from drillbook.errors import RunbookError
from drillbook.observe.dockerfile import base_of, dockerfile
from drillbook.observe.facts import DockerfileFact, ServiceFact


def service(folder: Path | str, file: str = "Dockerfile", **more: object) -> ServiceFact:
    return ServiceFact("app", "connect-app", str(folder), file, **more)  # type: ignore[arg-type]


def read(found: DockerfileFact | None) -> DockerfileFact:
    assert found is not None
    return found


def test_dockerfile_is_read_with_its_ignore_file(tmp_path: Path) -> None:
    """Text, instructions and the context's ignore file; that there is none is told."""
    (tmp_path / "Dockerfile").write_text("FROM a\nCOPY . .\n")
    fact = read(dockerfile(service(tmp_path)))
    assert (fact.path, fact.has_ignore, fact.ignore_path) == (
        f"{tmp_path}/Dockerfile", False, f"{tmp_path}/.dockerignore",
    )  # fmt: skip
    assert [i.word for i in fact.instructions] == ["FROM", "COPY"]
    (tmp_path / ".dockerignore").write_text(".next\n")
    fact = read(dockerfile(service(tmp_path)))
    assert (fact.has_ignore, fact.ignore_text) == (True, ".next\n")


def test_ignore_file_of_the_dockerfile_wins(tmp_path: Path) -> None:
    """`web.Dockerfile.dockerignore` counts, and the context's does not."""
    (tmp_path / ".dockerignore").write_text("a\n")
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/web.Dockerfile").write_text("FROM a\n")
    (tmp_path / "docker/web.Dockerfile.dockerignore").write_text("b\n")
    assert read(dockerfile(service(tmp_path, "docker/web.Dockerfile"))).ignore_text == "b\n"


def test_dockerfile_may_lie_elsewhere(tmp_path: Path) -> None:
    """By its whole path, or above the context."""
    (tmp_path / "context").mkdir()
    (tmp_path / "Dockerfile").write_text("FROM a\n")
    for file in (f"{tmp_path}/Dockerfile", "../Dockerfile"):
        assert read(dockerfile(service(tmp_path / "context", file))).text == "FROM a\n"


def test_dockerfile_in_the_compose_file_counts(tmp_path: Path) -> None:
    """A `dockerfile_inline` is read as a file is; the context's ignore file holds for it."""
    (tmp_path / ".dockerignore").write_text("a\n")
    fact = read(dockerfile(service(tmp_path, "", dockerfile_inline="FROM b\n")))
    assert (fact.instructions[0].value, fact.ignore_text) == ("b", "a\n")
    assert "dockerfile_inline of app" in fact.path


def test_bytes_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    """A Dockerfile in another encoding is still read."""
    (tmp_path / "Dockerfile").write_bytes(b"FROM a\nLABEL by=J\xf6rg\n")
    assert read(dockerfile(service(tmp_path))).instructions[1].value == "by=J\ufffdrg"


@pytest.mark.parametrize("context", ["", "https://github.com/x/y.git#main:sub", "git@host:x.git", "/no/such/folder"])
def test_context_that_is_no_folder_has_no_dockerfile(context: str) -> None:
    """A git URL, a missing folder, or no build at all."""
    assert dockerfile(service(context)) is None


def test_no_dockerfile_is_none(tmp_path: Path) -> None:
    """Also where a folder lies in its place."""
    assert dockerfile(service(tmp_path)) is None
    (tmp_path / "Dockerfile").mkdir()
    assert dockerfile(service(tmp_path)) is None


BASE = {
    "Id": "sha256:b", "Created": "1970-01-01T00:01:00Z", "RootFS": {"Layers": ["sha256:1"]},
    "RepoDigests": ["node@sha256:r"],
}  # fmt: skip


def test_base_is_what_its_tag_means_now(tmp_path: Path) -> None:
    """Layers, time and the registry's digest are those of the image that the tag names today."""
    (tmp_path / "Dockerfile").write_text("ARG TAG=20\nFROM node:${TAG}\n")
    given = service(tmp_path, build_args={"TAG": "22"})
    with serving_engine(tmp_path / "s", {"/images/node:22/json": (200, BASE)}) as host:
        base = base_of(docker.DockerClient(base_url=host), given, read(dockerfile(given)))
    assert base is not None
    assert (base.reference, base.image_id, base.layers) == ("node:22", "sha256:b", ("sha256:1",))
    assert (base.created, base.digest) == (60.0, "sha256:r")


def test_base_that_the_engine_lacks_has_no_id(tmp_path: Path) -> None:
    """It is named all the same; `scratch` is no image; an engine that fails is a fact."""
    (tmp_path / "Dockerfile").write_text("FROM node:20 AS a\nFROM scratch AS b\nFROM a\n")
    plain, none = service(tmp_path), service(tmp_path, build_target="b")
    with serving_engine(tmp_path / "s", {}) as host:
        engine = docker.DockerClient(base_url=host)
        base = base_of(engine, plain, read(dockerfile(plain)))
        assert base is not None
        assert (base.reference, base.image_id, base.layers) == ("node:20", "", ())
        assert base_of(engine, none, read(dockerfile(none))) is None
    with (
        serving_engine(tmp_path / "t", {"/images/node:20/json": (500, {"message": "broken"})}) as host,
        pytest.raises(RunbookError, match="broken"),
    ):
        base_of(docker.DockerClient(base_url=host), plain, read(dockerfile(plain)))
