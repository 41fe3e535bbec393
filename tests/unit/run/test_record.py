"""The record and the ledger."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

import pytest
from ghost import ghost

from drillbook.act.journal import Journal
from drillbook.errors import RunbookError
from drillbook.observe import holder
from drillbook.run import ledger
from drillbook.run.record import Record, new_run_folder, settle


@pytest.fixture(autouse=True)
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DRILLBOOK_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path


def begun() -> Record:
    return Record.create(new_run_folder("connect", "reset"), "reset", "connect")


def test_a_record_is_whole_private_and_read_back() -> None:
    """run.json is what the contract names."""
    record = begun()
    record.update(step="build", result={"verdict": "pass"})
    told = json.loads((record.folder / "run.json").read_text())
    assert (told["format"], told["run"], told["status"], told["pid"]) == (1, record.folder.name, "running", os.getpid())
    assert Record.load(record.folder) == record
    assert stat.S_IMODE((record.folder / "run.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(record.folder.stat().st_mode) == 0o700
    assert [file.name for file in record.folder.iterdir()] == ["run.json"]


def test_a_field_that_no_record_has_is_an_error() -> None:
    """A misspelt field would be lost in silence."""
    with pytest.raises(TypeError, match="stpe"):
        begun().update(stpe="x")


def test_a_torn_record_is_told() -> None:
    """Not a traceback of the JSON parser."""
    record = begun()
    (record.folder / "run.json").write_text('{"format": 1, "run"')
    with pytest.raises(RunbookError, match="not the record"):
        Record.load(record.folder)


def test_a_living_run_is_left_alone() -> None:
    """Its process runs: it is running."""
    record = begun()
    assert settle(record.folder).status == "running"


def test_a_run_whose_process_is_gone_becomes_aborted() -> None:
    """What is not known, its end and exit code, stays unknown; the journal's last step is told."""
    record = begun()
    was = ghost()
    record.update(pid=was.pid, pid_started=was.pid_started)
    Journal(record.folder / "journal.jsonl").write("intent", step="replace-app1")
    settled = settle(record.folder)
    assert (settled.status, settled.reason, settled.step) == ("aborted", "process died", "replace-app1")
    assert (settled.exit_code, settled.ended) == (None, None)


def test_a_number_used_again_is_another_process() -> None:
    """The same pid with another start is not the run."""
    record = begun()
    mine = holder.me()
    other = mine.pid_started.rpartition("/")[0] + "/1"
    record.update(pid_started=other)
    assert settle(record.folder).status == "aborted"


@pytest.mark.parametrize("field", [0, 2])
def test_another_machine_or_namespace_proves_nothing(field: int) -> None:
    """A run that cannot be looked at stays running."""
    record = begun()
    parts = ghost().pid_started.split("/")
    parts[field] = "elsewhere"
    record.update(pid=2**22 + 1, pid_started="/".join(parts))
    assert settle(record.folder).status == "running"


def ended(status: str = "succeeded") -> Record:
    record = begun()
    (record.folder / "notebook.ipynb").write_text("{}")
    record.finish(status, 0)
    return record


def test_the_ledger_chains_and_vouches() -> None:
    """Each run once, each following the one before."""
    for record in (ended(), ended(), ended()):
        assert ledger.enter(record.folder) is not None
        assert ledger.enter(record.folder) is None
    assert ledger.verify() == []
    assert len(ledger.file().read_text().splitlines()) == 3


def test_a_running_run_is_not_entered() -> None:
    """The ledger holds ends."""
    assert ledger.enter(begun().folder) is None


def test_a_changed_copy_a_changed_line_and_a_lost_line_are_found() -> None:
    """Each by its own words."""
    records = [ended(), ended(), ended()]
    for record in records:
        ledger.enter(record.folder)
    (records[0].folder / "notebook.ipynb").write_text("{ }")
    assert [f"run {records[0].run}: notebook.ipynb was changed" in line for line in ledger.verify()] == [True]
    (records[0].folder / "notebook.ipynb").write_text("{}")
    whole = ledger.file().read_text()
    ledger.file().write_text(whole.replace('"exit_code": 0', '"exit_code": 1', 1))
    assert "line 1" in ledger.verify()[0]
    lines = whole.splitlines(keepends=True)
    ledger.file().write_text(lines[0] + lines[2])
    assert any("does not follow" in line for line in ledger.verify())
    ledger.file().write_text(lines[0] + lines[1])
    assert ledger.verify() == [f"run {records[2].run} has ended but is not in the ledger"]


def test_a_torn_last_line_is_cut_off() -> None:
    """A crash in the midst of an entry spoils nothing later."""
    first, second = ended(), ended()
    ledger.enter(first.folder)
    with ledger.file().open("a") as stream:
        stream.write('{"at": "2026')
    ledger.enter(second.folder)
    assert ledger.verify() == []


def test_a_dead_run_is_settled_and_entered() -> None:
    """By whoever looks next."""
    record = begun()
    was = ghost()
    record.update(pid=was.pid, pid_started=was.pid_started)
    assert [found.status for found in ledger.settle_all()] == ["aborted"]
    assert ledger.verify() == []


def test_full_disk_hides_no_dead_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told as what it is, though nothing of that can be written; once there is room, it is."""
    record = begun()
    record.update(**vars(ghost()))
    with monkeypatch.context() as full:
        full.setattr("drillbook.act.durable.replace", _full)
        full.setattr("drillbook.run.ledger._append", _full)
        assert [(found.run, found.status) for found in ledger.settle_all()] == [(record.run, "aborted")]
    assert (Record.load(record.folder).status, ledger.verify()) == ("running", [])
    assert [found.status for found in ledger.settle_all()] == ["aborted"]
    assert Record.load(record.folder).status == "aborted"


def _full(*words: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
