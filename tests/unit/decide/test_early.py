"""The report's checklist: each sign is there, is not, or cannot be told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import pytest

from drillbook.decide.early import ago, early
from drillbook.observe.facts import ImageFact, Snapshot
from drillbook.observe.facts_signs import FORGOTTEN, LogFact, SignsFact
from drillbook.target import Signs

NOW = 1_760_320_800.0  # 2025-10-13T02:00:00Z
SEEN = SignsFact(deployed_at=NOW - 600, rebuilds={"app1": 3}, observed_at=NOW)
MADE = {builders.NEW: ImageFact(builders.NEW, "connect-app1", NOW - 600, 1, ())}
ERROR = "500: TypeError: Cannot read properties of undefined (reading 'findUnique')"
SOURCE, REBUILT, RECENT, SAME, ELSEWHERE = range(5)


def seen(**changes: Any) -> Snapshot:
    return builders.stale_artifact(**{"signs": SEEN, "engine_images": MADE, **changes})


def test_the_incident_has_all_that_can_be_told() -> None:
    """Correct sources, several rebuilds, fresh timestamps, the same error: all are there; another stack is unknown."""
    told = early(seen(), Signs(), [ERROR])
    assert [sign.there for sign in told] == [True, True, True, True, None]
    assert "findUnique" in told[SAME].observed


def test_nothing_to_tell_from_is_unknown() -> None:
    """Without git, signs and images no sign is claimed."""
    bare = Snapshot("connect", "0")
    assert {sign.there for sign in early(bare, Signs(), [])} == {None}


@pytest.mark.parametrize(
    ("changes", "sign", "there"),
    [
        ({"deployed": builders.source(dirty=("lib/db.js",))}, SOURCE, False),
        ({"deployed": builders.source(is_git=False)}, SOURCE, None),
        ({"signs": replace(SEEN, rebuilds={"app1": 1, "app2": 1})}, REBUILT, False),
        ({"signs": replace(SEEN, rebuilds={}, rebuilds_whole=False)}, REBUILT, None),
        ({"signs": replace(SEEN, rebuilds_whole=False)}, REBUILT, True),
        ({"signs": replace(SEEN, unknown={"rebuilds": "x"})}, REBUILT, None),
        ({"engine_images": {"x": replace(MADE[builders.NEW], created=NOW - 25 * 3600)}}, RECENT, False),
        ({"engine_images": {}}, RECENT, None),
        ({"responses": (builders.answer(status=404, body="Organization not found"),)}, SAME, False),
        ({"signs": replace(SEEN, deployed_at=0.0)}, SAME, None),
    ],
)
def test_each_sign_by_itself(changes: dict[str, Any], sign: int, there: bool | None) -> None:
    """What is not there is told apart from what cannot be told."""
    assert early(seen(**changes), Signs(), [ERROR])[sign].there is there


def test_what_the_engine_forgot_is_said() -> None:
    """A count that may be too low says so, and none that is known gives the reason."""
    for rebuilds, said in (({"app1": 1}, "at least: app1 1 time"), ({}, f"none is known; {FORGOTTEN}")):
        seen_so = seen(signs=replace(SEEN, rebuilds=rebuilds, rebuilds_whole=False))
        assert early(seen_so, Signs(), [])[REBUILT].observed == said


def test_numbers_do_not_make_another_error() -> None:
    """The same error with another id in it is the same error."""
    now = seen(responses=(builders.answer(status=500, body="job 4711 failed"),))
    assert early(now, Signs(), ["500: job 12 failed"])[SAME].there


@pytest.mark.parametrize(
    ("first", "last", "there"),
    [
        ("2025-10-13T01:00:00.123456789Z", "2025-10-13T01:59:00Z", True),
        ("2025-10-13T01:55:00Z", "2025-10-13T01:59:00Z", None),
        ("2025-10-13T01:00:00Z", "2025-10-13T01:20:00Z", None),
        ("", "2025-10-13T01:59:00Z", None),
    ],
)
def test_one_log_that_spans_the_deployment_tells_it_too(first: str, last: str, there: bool | None) -> None:
    """A container that lived through the deployment says the same before and after; without that nothing is told."""
    log = LogFact("postgres", "ERROR: relation missing", 9, last, first)
    assert early(seen(signs=replace(SEEN, logs=(log,))), Signs())[SAME].there is there


@pytest.mark.parametrize(("hours", "told"), [(0.5, "30 min ago"), (1.0, "1.0 h ago"), (72, "3 days ago")])
def test_how_long_ago(hours: float, told: str) -> None:
    """In the unit that a person would use."""
    assert ago(hours) == told
