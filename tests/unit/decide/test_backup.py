"""Backup plans: what is done to a volume's service meanwhile is named."""

from __future__ import annotations

from dataclasses import replace

import manifests

from drillbook.decide.backup import plan_backup
from drillbook.decide.plan import Step
from drillbook.observe.places import VolumePlace


def volumes(*places: VolumePlace) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    plan = plan_backup("connect", "i", replace(manifests.facts(), volumes=places))
    return tuple(step for step in plan.steps if step.verb == "backup.volume"), plan.notes


def test_a_stop_is_announced() -> None:
    """In a note, and in the step."""
    place = VolumePlace("connect_up", "up", "files", "app", ("connect-app-1", "connect-app-2"), stop=True)
    steps, notes = volumes(place)
    args = {"kind": "files", "stops": ["connect-app-1", "connect-app-2"]}
    assert steps == (Step("volume-up", "backup.volume", "connect_up", args=args, timeout_seconds=3600),)
    assert notes == ("connect-app-1, connect-app-2 are stopped while connect_up is copied, and started again",)


def test_commands_are_shown_and_what_needs_nothing_is_left_alone() -> None:
    """Each as it is run."""
    steps, notes = volumes(
        VolumePlace("a", "a", "files", "app", before=("app", "freeze"), after=("app", "thaw")),
        VolumePlace("b", "b", "redis", "redis"),
        VolumePlace("c", "c", "files", "app", volatile=True),
    )
    assert [step.args for step in steps] == [
        {"kind": "files", "before": ["app", "freeze"], "after": ["app", "thaw"]},
        {"kind": "redis"},
        {"kind": "files", "volatile": True},
    ]
    assert notes == ()
