"""Plans are data: what they destroy, and the fingerprint that an approval gives back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from drillbook.decide.plan import Plan, Step

STEP = Step("replace-app1", "service.replace", "app1", ("docker", "compose", "up"), destroys=("container of app1",))
PLAN = Plan("reset", "connect", "0123", {"backup": "b1", "volumes": ["v1", "v2"]}, (STEP,), ("rests on b1",))


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
