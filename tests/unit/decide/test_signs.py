"""The report's rule: three signs at once are a suspicion, and less is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drillbook.decide.signs import warning
from drillbook.observe.facts_signs import FORGOTTEN, LogFact, SignsFact
from drillbook.target import Signs

NOW = 1_760_000_000.0
BAD = SignsFact(
    error_percent=100.0, asked=1, source="endpoint matches", deployed_at=NOW - 3600, deployed_by="image",
    healthy_at=NOW - 7200, rebuilds={"app1": 3}, logs=(LogFact("app1", "TypeError: x", 4, ""),), observed_at=NOW,
)  # fmt: skip


def test_all_three_are_a_suspicion() -> None:
    """Many errors, deployed lately, rebuilt more than twice: cache pollution is suspected, with the log beside it."""
    told = warning(BAD, Signs())
    assert told.suspected
    assert "do not rebuild" in told.says
    assert told.lines == (("app1", "TypeError: x", 4),)


@pytest.mark.parametrize(
    ("change", "sign", "state"),
    [
        ({"error_percent": 50.0}, 0, "within"),
        ({"error_percent": None}, 0, "unknown"),
        ({"deployed_at": NOW - 25 * 3600}, 1, "within"),
        ({"deployed_at": 0.0}, 1, "unknown"),
        ({"rebuilds": {"app1": 2}}, 2, "within"),
        ({"rebuilds": {}}, 2, "within"),
        ({"rebuilds": {"app1": 2}, "rebuilds_whole": False}, 2, "unknown"),
    ],
)
def test_each_alone_holds_it_back(change: dict[str, object], sign: int, state: str) -> None:
    """One sign that is not there, or not known, is enough not to suspect; it is said which."""
    told = warning(replace(BAD, **change), Signs())
    assert (told.suspected, told.signs[sign].state) == (False, state)


def test_what_could_not_be_asked_is_unknown_with_its_reason() -> None:
    """Rebuilds that the engine could not tell are unknown, not none; it is said what is missing."""
    told = warning(replace(BAD, rebuilds={}, unknown={"rebuilds": "the engine does not answer"}), Signs())
    assert (told.signs[2].state, told.signs[2].observed) == ("unknown", "the engine does not answer")
    assert not told.suspected
    assert told.says.endswith("rebuilds")
    assert told.as_json()["unknown"] == {"rebuilds": "the engine does not answer"}


def test_what_the_engine_forgot_may_be_more() -> None:
    """A count that may be too low is told as such: enough is enough, less is not known."""
    assert warning(replace(BAD, rebuilds_whole=False), Signs()).suspected
    told = warning(replace(BAD, rebuilds={"app1": 1}, rebuilds_whole=False), Signs())
    assert told.signs[2].observed == f"at least 1 of app1 since the last healthy diagnosis; {FORGOTTEN}"
    assert told.says == "what is known of the signs is there, but not all is known: rebuilds"


def test_the_targets_own_limits_count() -> None:
    """Another rule in the target's file gives another answer to the same facts."""
    assert not warning(BAD, Signs(rebuilds=5)).suspected
    assert not warning(BAD, Signs(error_rate_percent=100)).suspected
