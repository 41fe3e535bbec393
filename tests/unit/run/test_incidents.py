"""A postmortem adds a known incident, and the next diagnosis knows it again."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import builders
import pytest

from drillbook import home
from drillbook.decide.diagnose import diagnose
from drillbook.decide.incidents import matches
from drillbook.errors import BadParameters
from drillbook.observe.facts_signs import LogFact, SignsFact
from drillbook.observe.incidents import incidents
from drillbook.run.incidents import described, general, write


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("runbooks", "parameters"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("DRILLBOOK_HOME", str(tmp_path))
    return tmp_path


LOG = LogFact("app1", "Error: worker 4711 lost its lease postgres://u:hunter22@db/x", 3, "2026-01-01T00:00:00Z")
SEEN = builders.stale_artifact(signs=SignsFact(logs=(LOG,)))


def records() -> list[dict[str, Any]]:
    lines = {"signs": [{"name": "rebuilds", "observed": "4 of app1 in a week"}], "lines": [["app1", LOG.line, 3]]}
    told = {**diagnose(SEEN).as_json(), "signs": lines}
    return [
        {"runbook": "diagnose", "status": "succeeded", "started": "2026-01-01T02:00:00+00:00",
         "ended": "2026-01-01T02:01:00+00:00", "result": told},
        {"runbook": "reset", "status": "succeeded", "started": "2026-01-01T02:10:00+00:00",
         "ended": "2026-01-01T02:30:00+00:00", "result": {}},
    ]  # fmt: skip


def test_what_was_written_is_matched_again(house: Path) -> None:
    """The same symptoms with other numbers in them, and the same cause, are known the next time."""
    file = write("lost-lease", described("lost-lease", "it lost its lease", records(), "run-1"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = replace(
        SEEN, signs=SignsFact(logs=(replace(LOG, line=LOG.line.replace("4711", "12").replace("hunter22", "***")),))
    )
    [match] = matches(incidents(), again, ["stale-artifact"])
    assert (match.incident.title, match.score, match.not_seen) == ("it lost its lease", 1.0, ())
    assert match.incident.resolved_by == ("drillbook run reset",)
    assert (match.incident.duration, match.incident.facts["rebuilds"]) == ("30 minutes", "4")


def test_no_secret_goes_in(house: Path) -> None:
    """A password in a log line does not get into the file."""
    file = write("lost-lease", described("lost-lease", "x", records(), "run-1"))
    assert "hunter22" not in file.read_text()


@pytest.mark.parametrize("name", ["../evil", "A b", "", "x/y", "-x"])
def test_an_id_is_a_plain_name(house: Path, name: str) -> None:
    """No path leaves the folder of the incidents."""
    with pytest.raises(BadParameters):
        write(name, described(name, "x", records(), "run-1"))
    assert not list(house.rglob("*.yaml"))


def test_a_known_incident_is_never_replaced(house: Path) -> None:
    """What somebody wrote stays."""
    file = write("one", described("one", "first", records(), "run-1"))
    with pytest.raises(BadParameters, match="already"):
        write("one", described("one", "second", records(), "run-2"))
    assert "first" in file.read_text()


def test_numbers_and_ids_may_be_others() -> None:
    """An expression for a line holds for the same line with another number, and for no other line."""
    import re

    made = general("Error: job 17 (a) failed")
    assert re.search(made, "x Error: job 42 (a) failed y")
    assert not re.search(made, "Error: job 42 b failed")


def test_the_incidents_of_the_house_are_the_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sessions of the report are known, and the incident is recognised by symptom and cause."""
    monkeypatch.setenv("DRILLBOOK_HOME", str(Path(__file__).resolve().parents[3]))
    known = incidents()
    assert {i.id for i in known} == {"session-45-oauth-callback", "session-51-db-undefined"}
    found = matches(
        known, builders.stale_artifact(databases=(builders.database(rows={}),)), ["stale-artifact", "schema-missing"]
    )
    assert found[0].incident.id == "session-51-db-undefined"
    assert found[0].score > found[1].score
    assert any("rebuilds" in line or "backups" in line for line in found[0].differs)
    assert home.incidents().is_dir()
