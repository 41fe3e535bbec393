"""The postmortem remembers an incident when it is asked to, without its secrets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import builders
import pytest

from drillbook.decide.diagnose import diagnose
from drillbook.errors import BadParameters
from drillbook.observe.incidents import incidents
from drillbook.run.postmortem import PostmortemRun
from drillbook.run.record import Record, new_run_folder

SECRET = "tr0ub4dor.&3"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PostmortemRun:
    """A postmortem over a diagnosis whose failing answer holds a secret of the target's."""
    for folder in ("runbooks", "parameters"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("DRILLBOOK_HOME", str(tmp_path))
    monkeypatch.setenv("DRILLBOOK_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.setenv("CONNECT_WORD", SECRET)
    place = {"service": "postgres", "dbname": "connect", "user": "connect", "password": "env:CONNECT_WORD"}
    answer = builders.answer(status=500, body=f"Error: login as {SECRET} was refused")
    seen = replace(builders.stale_artifact(), responses=(answer,))
    told = Record.create(new_run_folder("connect", "diagnose"), "diagnose", "connect")
    told.update(result=diagnose(seen).as_json())
    told.finish("succeeded", 0)
    folder = new_run_folder("connect", "postmortem")
    record = Record.create(folder, "postmortem", "connect")
    return PostmortemRun(builders.target(databases={"main": place}), record, folder)


def test_an_incident_is_remembered_without_its_secrets(run: PostmortemRun) -> None:
    """The runs' words become an incident; a secret in them may be anything the next time."""
    run.remember("refused-login", "nobody could log in", run.observe([], 24.0))
    [known] = incidents()
    assert (known.id, known.title, known.causes) == ("refused-login", "nobody could log in", ("stale-artifact",))
    assert known.symptoms == (r"Error: login as \S* was refused",)
    assert run.folder.name in known.link


def test_nothing_is_remembered_unasked(run: PostmortemRun, capsys: pytest.CaptureFixture[str]) -> None:
    """Without an id no file is made, and it is said how."""
    run.remember("", "x", run.observe([], 24.0))
    assert incidents() == ()
    assert "parameter incident" in capsys.readouterr().out


def test_a_taken_id_is_told(run: PostmortemRun) -> None:
    """The second postmortem of one name ends as a fact, and the first file stays."""
    told = run.observe([], 24.0)
    run.remember("one", "first", told)
    with pytest.raises(BadParameters, match="already"):
        run.remember("one", "second", told)
    assert incidents()[0].title == "first"
