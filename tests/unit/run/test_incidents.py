"""A postmortem adds a known incident, and the next diagnosis knows it again."""

from __future__ import annotations

import re
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import builders
import pytest

from drillbook import home
from drillbook.decide.diagnose import diagnose
from drillbook.decide.incidents import matches
from drillbook.decide.rows import rows_against_backup
from drillbook.decide.signs import warning
from drillbook.errors import BadParameters, RunbookError
from drillbook.observe.facts import Snapshot
from drillbook.observe.facts_signs import LogFact, SignsFact
from drillbook.observe.incidents import incidents
from drillbook.run.incidents import described, general, write
from drillbook.run.record import Record
from drillbook.target import Signs


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("runbooks", "parameters"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("DRILLBOOK_HOME", str(tmp_path))
    return tmp_path


LOG = LogFact("app1", "Error: worker 4711 lost its lease postgres://u:hunter22@db/x", 3, "2026-01-01T00:00:00Z")
SEEN = builders.stale_artifact(signs=SignsFact(logs=(LOG,), rebuilds={"app1": 4}))


def looked(snapshot: Snapshot) -> dict[str, Any]:
    """What `01-diagnose` leaves in its record."""
    assert snapshot.signs is not None
    told = {"signs": warning(snapshot.signs, Signs()).as_json()}
    return {**diagnose(snapshot).as_json(), **told, "rows": [row.as_json() for row in rows_against_backup(snapshot)]}


def ran(runbook: str, minute: int, result: dict[str, Any] | None = None, **parameters: str) -> Record:
    return Record(
        Path(), run=f"{runbook}-{minute}", runbook=runbook, status="succeeded", parameters=parameters, result=result,
        started=f"2026-01-01T02:{minute:02}:00+00:00", ended=f"2026-01-01T02:{minute + 1:02}:00+00:00",
    )  # fmt: skip


def records(seen: Snapshot = SEEN) -> list[Record]:
    """A diagnosis, a reset that did not help, one that did, and the look that says so."""
    return [
        ran("diagnose", 0, looked(seen)),
        ran("reset", 5, {"verdict": "pass"}, scope="containers"),
        ran("diagnose", 10, looked(seen)),
        ran("reset", 20, {"verdict": "pass"}, scope="artifacts"),
        ran("verify", 29, {"verdict": "pass"}),
    ]


def added(name: str = "lost-lease", seen: Snapshot = SEEN) -> Path:
    return write(name, described(name, "it lost its lease", records(seen), "run-1"))


def test_what_was_written_is_matched_again(house: Path) -> None:
    """The same symptoms with other numbers in them, and the same cause, are known the next time."""
    assert stat.S_IMODE(added().stat().st_mode) == 0o600
    again = replace(
        SEEN, signs=SignsFact(logs=(replace(LOG, line=LOG.line.replace("4711", "12").replace("hunter22", "***")),))
    )
    [match] = matches(incidents(), again, ["stale-artifact"])
    assert (match.incident.title, match.score, match.not_seen) == ("it lost its lease", 1.0, ())
    assert (match.incident.date, match.incident.duration) == ("2026-01-01", "30 minutes")
    assert match.incident.facts == {"rebuilds": "4", "backups": "the newest 1.0 h old", "data lost": "none"}


def test_what_helped_is_told_from_what_did_not(house: Path) -> None:
    """A reset after which the stack was still ill did not help, whatever its own verdict was."""
    added()
    [known] = incidents()
    assert known.resolved_by == ("drillbook run reset -p scope=artifacts",)
    assert known.did_not_help == ("drillbook run reset -p scope=containers",)


def test_a_loss_is_remembered(house: Path) -> None:
    """What the diagnosis said of rows and backups stands in the facts."""
    added(seen=replace(SEEN, databases=(builders.database(rows={}),)))
    assert incidents()[0].facts["data lost"] == "2 tables"


def test_runs_without_a_finding_are_an_incident_too(house: Path) -> None:
    """Nothing seen, nothing resolved: the file is valid, and somebody can fill it in."""
    file = write("empty", described("empty", "x", [ran("backup", 0, {})], "run-1"))
    assert file.is_file()
    assert incidents()[0].symptoms == ()


def test_no_secret_goes_in(house: Path) -> None:
    """A password in a log line does not get into the file."""
    assert "hunter22" not in added().read_text()


@pytest.mark.parametrize("name", ["../evil", "A b", "", "x/y", "-x", "x\n"])
def test_an_id_is_a_plain_name(house: Path, name: str) -> None:
    """No path leaves the folder of the incidents."""
    with pytest.raises(BadParameters):
        added(name)
    assert not list(house.rglob("*.yaml"))


def test_a_known_incident_is_never_replaced(house: Path) -> None:
    """What somebody wrote stays."""
    file = added()
    file.write_text(file.read_text().replace("it lost its lease", "in better words"))
    with pytest.raises(BadParameters, match="already"):
        added()
    assert "in better words" in file.read_text()


def test_what_would_not_load_is_not_written(house: Path) -> None:
    """A file that the next diagnosis could not read would be worse than none."""
    told = described("odd", "x", records(), "run-1")
    with pytest.raises(RunbookError, match="causes"):
        write("odd", {**told, "causes": ["bad luck"]})
    assert not list(house.rglob("*.yaml"))


def test_numbers_and_ids_may_be_others() -> None:
    """An expression for a line holds for the same line with another number, and for no other line."""
    made = general("Error: job 17 (a) of 550e8400-e29b-41d4-a716-446655440001 failed")
    assert re.search(made, "x Error: job 42 (a) of 123e4567-e89b-12d3-a456-426614174000 failed y")
    assert not re.search(made, "Error: job 42 b of 123e4567-e89b-12d3-a456-426614174000 failed")


@pytest.mark.parametrize(
    ("said", "met"),
    [
        ("502: <html>\r\n<head><title>502 Bad Gateway</title></head>", "HTTP 502 / <title>502 Bad Gateway</title>"),
        ('500: {"error":"boom at last"}', 'HTTP 500 / {"error":"boom at last"}'),
        ("500: \n\nsecond line tells\nthird", "HTTP 500 / \nsecond line tells"),
        ("Error: [redacted env:KEY] was refused", "Error: *** was refused"),
        ("ConnectError: [Errno 111] Connection refused", "HTTP 0 / ConnectError: [Errno 99] Connection refused"),
    ],
)
def test_the_first_words_that_tell_something_are_taken(said: str, met: str) -> None:
    """Markup and empty lines tell nothing; a secret that was taken out may be any other."""
    assert general(said)
    assert re.search(general(said), met)


@pytest.mark.parametrize("said", ["500: ", "503: down", "404: {}", "500: <html><body></body></html>", "500: 4711 : 12"])
def test_what_tells_nothing_is_no_symptom(said: str) -> None:
    """An empty page would be met in every other incident."""
    assert general(said) == ""


def test_the_incidents_of_the_house_are_the_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sessions of the report are known, and the incident is recognised by symptom and cause."""
    monkeypatch.setenv("DRILLBOOK_HOME", str(Path(__file__).resolve().parents[3]))
    known = {i.id: i for i in incidents()}
    assert {"session-45-oauth-callback", "session-51-db-undefined"} <= known.keys()
    found = matches(
        known.values(), builders.stale_artifact(databases=(builders.database(rows={}),)),
        ["stale-artifact", "schema-missing"],
    )  # fmt: skip
    assert found[0].incident.id == "session-51-db-undefined"
    assert found[0].score > found[1].score
    assert "then backups: none, the folder was empty; now: 1 proven, the newest 1.0 h old" in found[0].differs
    assert home.incidents().is_dir()


def test_both_errors_of_the_report_are_known_by_their_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The misleading error, the missing table and the missing route lead to their sessions without any cause found."""
    monkeypatch.setenv("DRILLBOOK_HOME", str(Path(__file__).resolve().parents[3]))
    for status, path, body, name in (
        (500, "/api/matches/generate", "TypeError: Cannot read properties of undefined (reading 'findUnique')", "51"),
        (500, "/x", "The table `public.organizations` does not exist in the current database.", "51"),
        (404, "/api/auth/callback/google", "not found", "45"),
    ):
        answer = builders.answer(status=status, url=f"http://127.0.0.1:8080{path}", body=body)
        [found] = matches(incidents(), builders.healthy(responses=(answer,)), [])
        assert found.incident.id.startswith(f"session-{name}")
    none = builders.answer(status=404, body='{"error":"Organization not found"}')
    assert matches(incidents(), builders.healthy(responses=(none,)), []) == ()
