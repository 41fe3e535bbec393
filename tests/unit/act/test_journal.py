"""The journal: append-only, on disk at once, readable after a cut."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

import pytest

from drillbook.act.journal import Journal, now
from drillbook.errors import Unrecorded


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.jsonl")


def test_lines_come_back_in_order(journal: Journal) -> None:
    """What was written is read back in its order, each line with its time."""
    journal.write("intent", step="one")
    journal.write("done", step="one", seconds=0.5)
    assert [(line["event"], line["step"]) for line in journal.lines()] == [("intent", "one"), ("done", "one")]
    assert all(line["at"].endswith("Z") for line in journal.lines())


def test_only_the_owner_reads_it(journal: Journal) -> None:
    """The journal is of mode 0600: it names hosts, paths and commands."""
    journal.write("started")
    assert stat.S_IMODE(journal.file.stat().st_mode) == 0o600


def test_no_journal_has_no_lines(journal: Journal) -> None:
    """A run that was cut before its first line reads as empty, not as an error."""
    assert list(journal.lines()) == []


@pytest.mark.parametrize("rest", [b'{"at": "2025", "event": "do', b'"text"', b"\xff\xfe", b"[1]"])
def test_half_a_line_is_passed_over(journal: Journal, rest: bytes) -> None:
    """A last line that a power cut left half-written costs that line and no other."""
    journal.write("intent", step="one")
    with journal.file.open("ab") as handle:
        handle.write(rest)
    assert [line["event"] for line in journal.lines()] == ["intent"]


def test_half_a_line_does_not_swallow_the_next(journal: Journal) -> None:
    """What is written after a cut is whole, although the half line before it has no end."""
    journal.write("intent", step="one")
    with journal.file.open("ab") as handle:
        handle.write(b'{"at": "2025", "event": "do')
    journal.write("resumed")
    assert [line["event"] for line in journal.lines()] == ["intent", "resumed"]


def test_text_of_any_kind_stays_one_line(journal: Journal) -> None:
    """A newline in a fact does not make two lines, and a path is written as text."""
    journal.write("failed", fact="first\nsecond — ü", place=Path("/tmp"))
    assert journal.file.read_bytes().count(b"\n") == 1
    assert next(journal.lines())["fact"] == "first\nsecond — ü"


def test_done_names_finished_steps_only(journal: Journal) -> None:
    """A resumed run learns which steps have an outcome; an intent alone or a failure is none."""
    journal.write("done", step="one")
    journal.write("intent", step="two")
    journal.write("failed", step="three")
    assert journal.done() == {"one"}


def test_time_is_utc_with_milliseconds() -> None:
    """Times sort as text: UTC, milliseconds, Z."""
    assert len(now()) == len("2025-10-13T02:00:00.000Z")
    assert json.loads(json.dumps(now())).endswith("Z")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_line_that_cannot_be_written_is_an_error(journal: Journal, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """A full or broken disk ends the run with a fact, the file's name and what to do; what was there stays readable."""
    journal.write("intent", step="one")

    def full(handle: int, data: bytes) -> int:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr("os.write", full)
        with pytest.raises(Unrecorded, match=f"{os.strerror(code)}: {journal.file}") as caught:
            journal.write("done", step="one")
    assert caught.value.hint.endswith(f"--resume {journal.file.parent.name}")
    assert [line["event"] for line in journal.lines()] == ["intent"]


def test_disk_that_takes_little_at_a_time_gets_it_all(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write may take a part only: the rest is written after it."""
    real = os.write
    monkeypatch.setattr("os.write", lambda handle, data: real(handle, data[:7]))
    journal.write("done", step="one", fact="ü" * 20)
    assert [(line["event"], line["fact"]) for line in journal.lines()] == [("done", "ü" * 20)]


def test_disk_that_fills_up_within_a_line_spoils_no_other(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The half line is no line; once there is space again the next one is whole."""
    real, taken = os.write, [20]

    def filling(handle: int, data: bytes) -> int:
        if not taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle, data[: taken.pop()])

    journal.write("intent", step="one")
    with monkeypatch.context() as patched:
        patched.setattr("os.write", filling)
        with pytest.raises(Unrecorded):
            journal.write("done", step="one")
    assert [line["event"] for line in journal.lines()] == ["intent"]
    journal.write("resumes", run="another")
    assert [line["event"] for line in journal.lines()] == ["intent", "resumes"]
    assert journal.done() == set()


def test_line_that_is_not_synced_is_not_recorded(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is on disk counts: a sync that fails is told, for the next power cut would take the line."""

    def broken(handle: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(Unrecorded):
        journal.write("intent", step="one")


def test_folder_that_is_gone_is_an_error(journal: Journal, tmp_path: Path) -> None:
    """A run whose folder was removed meanwhile does nothing more."""
    with pytest.raises(Unrecorded, match="No such file"):
        Journal(tmp_path / "gone" / "journal.jsonl").write("intent", step="one")


def test_failed_write_leaves_no_file_open(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that goes on trying does not run out of handles."""
    before = len(list(Path("/proc/self/fd").iterdir()))

    def full(handle: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.write", full)
    for _ in range(20):
        with pytest.raises(Unrecorded):
            journal.write("intent", step="one")
    assert len(list(Path("/proc/self/fd").iterdir())) < before + 5
