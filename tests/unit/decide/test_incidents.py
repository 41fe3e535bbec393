"""Known incidents: what is alike is found by symptom and by cause, and what differs is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import pytest

from drillbook.decide.incidents import matches
from drillbook.observe.facts_signs import IncidentFact, LogFact, SignsFact

KNOWN = IncidentFact(
    id="session-51", title="db is undefined", date="2025-10-13",
    symptoms=(r"Cannot read properties of undefined \(reading 'findUnique'\)", "The table .* does not exist"),
    causes=("stale-artifact", "schema-missing"), resolved_by=("a reset",),
    facts={"rebuilds": "5-6", "backups": "none", "data lost": "all", "recognised by": "the user"},
)  # fmt: skip


def like(**changes: Any) -> IncidentFact:
    return replace(KNOWN, **changes)


def test_an_incident_is_known_by_what_was_seen_and_what_it_was() -> None:
    """The symptom is told with where and by what words; what was not seen, and causes of one only, stand apart."""
    [found] = matches([KNOWN], builders.stale_artifact(), ["stale-artifact", "disk-full"])
    [(pattern, words)] = found.symptoms
    assert pattern == KNOWN.symptoms[0]
    assert words.startswith("matches: ")
    assert "findUnique" in words
    assert found.not_seen == (KNOWN.symptoms[1],)
    assert (found.causes, found.theirs, found.ours) == (("stale-artifact",), ("schema-missing",), ("disk-full",))
    assert 0.5 < found.score < 0.6


def test_the_same_all_over_is_one() -> None:
    """Every symptom and every cause in common is the whole score."""
    log = LogFact("app1", "The table `public.users` does not exist in the current database.", 1, "")
    now = builders.stale_artifact(signs=SignsFact(logs=(log,)))
    [found] = matches([KNOWN], now, ["schema-missing", "stale-artifact"])
    assert (found.score, found.not_seen, found.theirs, found.ours) == (1.0, (), (), ())
    assert found.symptoms[1][1].startswith("log of app1: The table")


@pytest.mark.parametrize(("causes", "number"), [([], 0), (["disk-full"], 0), (["schema-missing"], 1)])
def test_nothing_in_common_is_no_match(causes: list[str], number: int) -> None:
    """A healthy stack is like no incident; one cause in common is enough to show it."""
    assert len(matches([KNOWN], builders.healthy(), causes)) == number


def test_good_answers_are_no_symptoms() -> None:
    """A page that quotes the error with the status it must have is no failing answer."""
    page = builders.answer(body="how we met: Cannot read properties of undefined (reading 'findUnique')")
    assert matches([KNOWN], builders.healthy(responses=(page,)), []) == ()


def test_the_most_alike_comes_first() -> None:
    """Sorted by likeness, then by id."""
    less = like(id="a-less", causes=("stale-artifact", "disk-full", "stale-base"))
    found = matches([less, like(id="b"), like(id="a")], builders.stale_artifact(), ["stale-artifact"])
    assert [match.incident.id for match in found] == ["a", "b", "a-less"]


def test_differences_are_told_beside_today() -> None:
    """What is known of then is held against now: backups, rebuilds, lost rows; the rest is told as it is."""
    signs = SignsFact(rebuilds={"app1": 3, "app2": 2})
    now = builders.stale_artifact(signs=signs, databases=(builders.database(rows={}),))
    [found] = matches([KNOWN], now, ["stale-artifact"])
    assert found.differs == (
        "then also schema-missing; not found now",
        "then rebuilds: 5-6; now: 3",
        "then backups: none; now: 1 proven, the newest 1.0 h old",
        "then data lost: all; now: 2 tables",
        "then recognised by: the user",
    )


@pytest.mark.parametrize(
    ("backups", "told"),
    [
        ((), "none"),
        ((builders.backup(proven=False),), "none is proven, 1 in all"),
        ((builders.backup(identity="another"),), "none is proven, 1 in all"),
        ((builders.backup(age_seconds=7200.0), builders.backup(age_seconds=1800.0)), "2 proven, the newest 0.5 h old"),
    ],
)
def test_only_this_targets_proven_backups_count(backups: tuple[Any, ...], told: str) -> None:
    """A backup without a proof, or of another target, is none that would help."""
    [found] = matches([KNOWN], builders.stale_artifact(backups=backups), [])
    assert f"then backups: none; now: {told}" in found.differs


def test_what_cannot_be_counted_is_unknown() -> None:
    """Rebuilds that nobody could count are not none, and those that the engine may have forgotten are not all."""
    [found] = matches([KNOWN], builders.stale_artifact(), [])
    assert "then rebuilds: 5-6; now: unknown" in found.differs
    forgot = SignsFact(rebuilds={"app1": 3}, rebuilds_whole=False)
    [found] = matches([KNOWN], builders.stale_artifact(signs=forgot), [])
    assert "then rebuilds: 5-6; now: at least 3" in found.differs


def test_the_path_of_an_answer_is_searched_and_its_secrets_are_not_shown() -> None:
    """A symptom may name the path that failed; what is told of it holds no token, whatever the URL."""
    for url in ("http://h/api/auth/callback?token=hunter22", "http://[bad/api/auth/callback?token=hunter22"):
        answer = builders.answer(status=404, url=url, body="x" * 500)
        [found] = matches([like(symptoms=(r"HTTP 404 \S*callback",))], builders.healthy(responses=(answer,)), [])
        assert "hunter22" not in found.symptoms[0][1]


def test_the_words_around_a_symptom_are_shown() -> None:
    """A symptom deep in a long page is shown where it stands."""
    answer = builders.answer(status=500, body="x" * 900 + "\n  boom   at last\n" + "y" * 900)
    [found] = matches([like(symptoms=("boom",))], builders.healthy(responses=(answer,)), [])
    assert "xxx boom at last yyy" in found.symptoms[0][1]
    assert len(found.symptoms[0][1]) < 300


def test_the_same_error_says_more_than_the_same_cause() -> None:
    """Who meets the very words of an incident is shown it first, although more happened then than is known now."""
    other = like(id="a", symptoms=("HTTP 404",), causes=("stale-artifact",))
    whole = like(id="b", causes=("stale-artifact", "stale-context", "schema-missing"))
    found = matches([other, whole], builders.stale_artifact(), ["stale-artifact"])
    assert [match.incident.id for match in found] == ["b", "a"]
    assert found[1].score <= 0.5
