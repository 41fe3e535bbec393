"""Folders that someone else may change meanwhile, opened name by name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from drillbook.observe import openat


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "top/a/b").mkdir(parents=True)
    (tmp_path / "top/a/file").write_text("f")
    (tmp_path / "top/away").symlink_to(tmp_path)
    (tmp_path / "top/a/near").symlink_to("b")
    (tmp_path / os.fsdecode(b"top/a/odd\xff")).touch()
    with openat.held(os.open(tmp_path / "top", openat.LISTED)) as descriptor:
        assert descriptor is not None
        yield descriptor


@pytest.mark.parametrize("path", ["", "a", "a/b", "/a//b/", "./a"])
def test_a_folder_is_found(root: int, path: str) -> None:
    """Whichever way its path is written."""
    with openat.held(openat.folder(root, path)) as found:
        assert found is not None


@pytest.mark.parametrize(
    "path", ["away", "away/top", "a/near", "..", "a/../a", "none", "a/none/b", "a/file", "a/file/b"]
)
def test_no_link_is_followed_and_none_goes_up(root: int, path: str) -> None:
    """Neither is a file a folder."""
    open_before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    assert openat.folder(root, path) is None
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) == open_before


def test_what_a_name_is(root: int) -> None:
    """A link to a folder is a link; a name that has gone is nothing."""
    with openat.held(openat.folder(root, "a")) as above:
        assert above is not None
        told = {
            name: (openat.is_folder(above, name), openat.is_link(above, name)) for name in ("b", "near", "file", "x")
        }
        assert told == {"b": (True, False), "near": (False, True), "file": (False, False), "x": (False, False)}


def test_the_engines_name_for_bytes_that_are_not_utf8(root: int, tmp_path: Path) -> None:
    """Is found, unless two entries could be meant."""
    with openat.held(openat.folder(root, "a")) as above:
        assert above is not None
        assert openat.named(above, "odd\ufffd") == os.fsdecode(b"odd\xff")
        (tmp_path / os.fsdecode(b"top/a/odd\xfe")).touch()
        assert openat.named(above, "odd\ufffd") is None
        assert openat.named(above, "file") == "file"
