"""The copy's own folder: the same files with the same times, tracked as they are on the target, and nothing more."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from drillbook.act.rehearse_source import SOURCE, _copied, _emptied, _files, _remembered, _trees, placed, root
from drillbook.observe.command import run_checked
from drillbook.observe.source import source_tree
from drillbook.target import Target, parse_target


def made(target: Target, folder: Path) -> Path:
    """The copy's counterpart of the target's folder, as the verb makes it."""
    base, trees, own = root(target), _trees(target), folder / SOURCE
    for tree in trees:
        for path in _files(target, tree):
            _copied(path, own / path.relative_to(base))
    tracked = {str((Path(t.directory) / name).relative_to(base)) for t in trees for name in t.tracked}
    _remembered(own, target.directory, trees[0].is_git, tracked)
    return placed(target, folder)


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    return run_checked(("git", "-C", str(folder), *who, *words), timeout=60).stdout.strip()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A stack's folder: sources, an artifact beside them, an extra, and something that is none of these."""
    folder = tmp_path / "opt" / "stack"
    for name in ("server.js", ".gitignore", ".next/bundle.js", "certs/key.pem", "odd ü.js", "secret.env"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / ".gitignore").write_text(".next\ncerts\nsecret.env\n")
    os.utime(folder / ".next/bundle.js", (1_700_000_000, 1_700_000_000))
    return folder


def described(site: Path, source: str = ".", **changes: Any) -> Target:
    code = {"source": source, "image": "/app", "artifacts": [".next"]}
    raw = {"project": "connect", "directory": str(site), "services": {"app": {"code": code}}, **changes}
    return parse_target({"name": "connect", "stack": raw}, site / "target.yaml")


def test_what_git_tracks_is_tracked_in_the_copy(site: Path, tmp_path: Path) -> None:
    """The same names by the same digests, at the same revision; artifacts beside them; nothing else."""
    git(site, "init", "-q")
    git(site, "add", ".")
    git(site, "commit", "-qm", "first")
    (site / "server.js").write_text("changed since")
    copy = made(described(site, extras=["certs"]), tmp_path / "copy")
    real, found = (source_tree(folder, (".next",)) for folder in (site, copy))
    assert found.is_git
    assert (found.tracked, found.artifacts, found.revision) == (real.tracked, real.artifacts, real.revision)
    assert found.dirty == real.dirty == ("server.js",)
    assert (copy / "certs/key.pem").read_text() == "certs/key.pem"
    assert not (copy / "secret.env").exists()
    assert (copy / ".next/bundle.js").stat().st_mtime == 1_700_000_000, "a build that trusts times goes wrong here too"
    assert git(site, "status", "--porcelain") == "M server.js", "the target's own repository is as it was"


def test_a_folder_without_git_stays_without(site: Path, tmp_path: Path) -> None:
    """Also where the copy lies in somebody else's repository, as it does in this house's."""
    git(tmp_path, "init", "-q")
    (tmp_path / "house.txt").touch()
    git(tmp_path, "add", "house.txt")
    plain = tmp_path / "elsewhere"
    site.rename(plain)
    (plain / ".git").write_text("none\n")
    copy = made(described(plain), tmp_path / "copy")
    found = source_tree(copy, (".next",))
    assert not found.is_git
    assert set(found.tracked) == {"server.js", ".gitignore", "certs/key.pem", "odd ü.js", "secret.env"}


def test_a_repository_without_a_commit(site: Path, tmp_path: Path) -> None:
    """It tracks files all the same."""
    git(site, "init", "-q")
    git(site, "add", ".")
    found = source_tree(made(described(site), tmp_path / "copy"), (".next",))
    assert (found.is_git, found.revision) == (True, "")
    assert set(found.tracked) == {"server.js", ".gitignore", "odd ü.js"}


def test_source_beside_the_stack_s_folder(site: Path, tmp_path: Path) -> None:
    """Code that lies next to it lies next to it in the copy."""
    code = site.parent / "app"
    code.mkdir()
    (code / "main.js").write_text("main")
    target = described(site, source="../app")
    copy = made(target, tmp_path / "copy")
    assert copy == tmp_path / "copy" / SOURCE / "stack"
    assert (copy / "../app/main.js").read_text() == "main"
    assert root(described(site)) == site


def test_an_empty_place_is_like_the_real_one(tmp_path: Path) -> None:
    """A file for a file, a folder for a folder or for nothing, with its mode; what was copied stays."""
    (tmp_path / "file").touch(mode=0o640)
    (tmp_path / "folder").mkdir(mode=0o750)
    (tmp_path / "folder/full").write_text("precious")
    for name in ("file", "folder", "gone"):
        _emptied(tmp_path / "copy" / name, tmp_path / name)
    assert (tmp_path / "copy/file").is_file()
    assert (tmp_path / "copy/folder").stat().st_mode & 0o777 == 0o750
    assert list((tmp_path / "copy/folder").iterdir()) == []
    assert (tmp_path / "copy/gone").is_dir()
    _emptied(tmp_path / "folder/full", tmp_path / "file")
    assert (tmp_path / "folder/full").read_text() == "precious"
