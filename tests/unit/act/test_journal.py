"""The journal: append-only, on disk at once, readable after a cut."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from drillbook.act.journal import Journal, now


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
