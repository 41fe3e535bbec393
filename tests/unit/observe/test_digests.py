"""Digests are remembered only where nothing could have changed behind them."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from drillbook import home
from drillbook.errors import RunbookError
from drillbook.observe import digests
from drillbook.observe.digests import file_digests, key_of, recall, remember


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DRILLBOOK_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path / "outputs"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one file, old enough to be trusted."""
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "a.js").write_text("old")
    monkeypatch.setattr(digests, "RACY_SECONDS", 0.01)
    time.sleep(0.05)
    return folder


def hashed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that are really read from now on."""
    read: list[str] = []
    real = digests.sha256
    monkeypatch.setattr(digests, "sha256", lambda file: (read.append(Path(file).name), real(file))[1])
    return read


def test_an_untouched_file_is_not_read_again(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second look takes the digest that is remembered."""
    first = file_digests(tree, ["a.js"])
    read = hashed(tree, monkeypatch)
    assert file_digests(tree, ["a.js"]) == first
    assert read == []


def test_the_same_size_and_time_deceive_nobody(tree: Path) -> None:
    """What deceives BuildKit, other content of the same size with the old mtime put back, is seen: the ctime tells."""
    file = tree / "a.js"
    before = file_digests(tree, ["a.js"])["a.js"]
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    file.write_text("new")
    os.utime(file, ns=times)
    after = file_digests(tree, ["a.js"])["a.js"]
    assert after[0] != before[0]
    assert after[1] == before[1]


def test_a_file_that_has_just_changed_is_not_trusted(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within one tick of the clock a file may change twice; such a digest is not remembered."""
    monkeypatch.setattr(digests, "RACY_SECONDS", 3600.0)
    file_digests(tree, ["a.js"])
    read = hashed(tree, monkeypatch)
    file_digests(tree, ["a.js"])
    assert read == ["a.js"]


def test_another_question_does_not_forget_the_first(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for one more file keeps what is known of the others."""
    file_digests(tree, ["a.js"])
    (tree / "b.js").write_text("b")
    time.sleep(0.05)
    file_digests(tree, ["b.js"])
    read = hashed(tree, monkeypatch)
    file_digests(tree, ["a.js", "b.js"])
    assert read == []


def test_a_file_that_is_gone_is_left_out(tree: Path) -> None:
    """A name that is not there, or a folder, has no digest."""
    (tree / "folder").mkdir()
    assert list(file_digests(tree, ["a.js", "gone.js", "folder"])) == ["a.js"]


def test_a_file_that_may_not_be_read_is_a_fact(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that cannot be read is told, never passed over."""

    def refuse(file: Path) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(digests, "sha256", refuse)
    with pytest.raises(RunbookError, match=r"a\.js cannot be read: Permission denied"):
        file_digests(tree, ["a.js"])


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b"\xff"])
def test_a_broken_memory_is_no_memory(outputs: Path, broken: bytes) -> None:
    """What cannot be read is computed again."""
    remember("image", "k", {"files": {}})
    (outputs / ".cache/digests/image-k.json").write_bytes(broken)
    assert recall("image", "k") == {}


def test_memories_are_private_and_bounded(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are 0600 in folders of 0700, and only the newest are kept."""
    monkeypatch.setattr(digests, "KEPT", 3)
    for number in range(5):
        remember("image", key_of(number), {"n": number})
    folder = home.outputs() / ".cache/digests"
    files = list(folder.iterdir())
    assert len(files) == 3
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_what_is_remembered_is_recalled_whatever_its_size() -> None:
    """Few names, many, none, and names within names: what comes back is what went in."""
    many = {f"d{n}/ü\n{n}.js": f"{n:064x}" for n in range(2500)}
    for value in (
        {},
        {"a": 1},
        many,
        {"files": many, "none": {}, "few": {"a": [1, 2]}, "stamps": {n: [1, 2] for n in many}, "build_id": "x"},
        {"one": many},
    ):
        remember("image", "k", value)
        assert recall("image", "k") == value
