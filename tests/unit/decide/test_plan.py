"""Plans are data: what they destroy, and the fingerprint that an approval gives back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from drillbook.decide.plan import Object, Plan, Step

STEP = Step("replace-app1", "service.replace", "app1", ("docker", "compose", "up"), destroys=("container of app1",))
PLAN = Plan("reset", "connect", "0123", {"backup": "b1", "volumes": ["v1", "v2"]}, (STEP,), ("rests on b1",))
BACK = Step("back-app1", "service.back", "app1", args={"was": {"id": "sha256:a"}})
TOUCHED = Object("images", "image", "connect-app1", "replace-app1", "loses its tag", "docker tag", 5000, 9.0)
WHOLE = replace(PLAN, back=(BACK,), turns=("replace-app1",), objects=(TOUCHED,))


def test_fingerprint_is_short_and_stable() -> None:
    """The same facts give the same sixteen digits, however the basis is ordered."""
    again = replace(PLAN, basis={"volumes": ["v1", "v2"], "backup": "b1"})
    assert again.fingerprint == PLAN.fingerprint
    assert len(PLAN.fingerprint) == 16


@pytest.mark.parametrize(
    "changes",
    [
        {"identity": "9999"},
        {"runbook": "restore"},
        {"basis": {"backup": "b2", "volumes": ["v1", "v2"]}},
        {"basis": {"backup": "b1", "volumes": ["v1"]}},
        {"steps": (replace(STEP, argv=("docker", "compose", "down")),)},
        {"steps": (replace(STEP, args={"service": "app2"}),)},
        {"steps": (STEP, STEP)},
        {"steps": ()},
    ],
)
def test_fingerprint_dies_when_anything_changes(changes: dict[str, Any]) -> None:
    """An approval is worth nothing once the target, a fact or a step is another."""
    assert replace(PLAN, **changes).fingerprint != PLAN.fingerprint


def test_notes_are_words_only() -> None:
    """A note explains the plan; rewording it does not kill an approval."""
    assert replace(PLAN, notes=("other words",)).fingerprint == PLAN.fingerprint


def test_everything_destroyed_is_named() -> None:
    """The plan names every object that is gone or moved afterwards, in order."""
    second = replace(STEP, destroys=("host artifact .next",))
    assert replace(PLAN, steps=(STEP, second)).destroys == ("container of app1", "host artifact .next")


def test_json_is_what_was_planned() -> None:
    """A plan can be kept as JSON and read by others, the fingerprint in it."""
    told = json.loads(json.dumps(PLAN.as_json()))
    assert told["fingerprint"] == PLAN.fingerprint
    assert told["steps"][0]["argv"] == ["docker", "compose", "up"]
    assert told["destroys"] == ["container of app1"]


@pytest.mark.parametrize(
    "changes",
    [
        {"back": ()},
        {"back": (BACK, BACK)},
        {"back": (replace(BACK, args={"was": {}}),)},
        {"turns": ()},
        {"turns": ("replace-app1", "ask-endpoints")},
    ],
)
def test_approval_is_for_the_way_back_too(changes: dict[str, Any]) -> None:
    """What would be done when a step fails, and from which steps on, is part of what was approved."""
    assert replace(WHOLE, **changes).fingerprint != WHOLE.fingerprint


def test_fingerprint_of_a_plan_without_a_way_back_is_what_it_always_was() -> None:
    """A restore's plan that was approved before there were ways back is still that plan."""
    assert PLAN.fingerprint == "a1a76fd76b6442e2"


@pytest.mark.parametrize("what", [(), (replace(TOUCHED, bytes=None, created=0.0),), (TOUCHED, TOUCHED)])
def test_sizes_and_ages_do_not_kill_an_approval(what: tuple[Object, ...]) -> None:
    """They change by themselves while the engineer reads."""
    assert replace(WHOLE, objects=what).fingerprint == WHOLE.fingerprint


def test_plan_is_read_back_as_it_was() -> None:
    """A run that was cut goes on with the very plan, its way back and its objects."""
    told = json.loads(json.dumps(WHOLE.as_json()))
    assert Plan.from_json(told) == WHOLE
    assert Plan.from_json(told).fingerprint == told["fingerprint"]
    assert Step.from_json(told["back"][0]) == BACK


@pytest.mark.parametrize("key", [k for k in WHOLE.as_json() if k not in ("fingerprint", "destroys")])
def test_plan_that_lacks_a_part_is_none(key: str) -> None:
    """A plan of another version, or half of one, is not taken for whole."""
    told = json.loads(json.dumps(WHOLE.as_json()))
    del told[key]
    with pytest.raises(KeyError, match=key):
        Plan.from_json(told)


@pytest.mark.parametrize(
    "changes", [{"basis": "text"}, {"basis": None}, {"steps": [{}]}, {"steps": ["x"]}, {"objects": [1]}, {"notes": 5}]
)
def test_plan_of_odd_parts_is_none(changes: dict[str, Any]) -> None:
    """What is no plan ends as an error that a resume can tell of."""
    told = {**json.loads(json.dumps(WHOLE.as_json())), **changes}
    with pytest.raises((KeyError, TypeError, ValueError)):
        Plan.from_json(told)
