"""What a rehearsal tells, from the journal of the copy's reset."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders

from drillbook.decide.plan import Plan, Step
from drillbook.decide.rehearsed import (
    Rehearsed,
    failed_step,
    is_shared,
    not_rehearsed,
    services_down,
    steps_of,
    untouched,
    way_back,
)


def line(event: str, step: str, **more: Any) -> dict[str, Any]:
    return {"event": event, "step": step, **more}


DONE = [
    line("intent", "build-images", subject="app1"),
    line("done", "build-images", seconds=31.04, evidence={}),
    line("intent", "replace-scraper", subject="scraper"),
    line("done", "replace-scraper", seconds=4.5, evidence={"down_seconds": 4.1}),
]


def test_what_it_would_take_is_what_its_steps_took() -> None:
    """The copy's own making counts for nothing; who was replaced in place was down."""
    found = Rehearsed(
        None, steps_of(DONE), meanwhile={"downtime_seconds": 0.5, "failures": ["x"]}, down={"scraper": 4.1}
    )
    assert services_down(DONE) == {"scraper": 4.1}
    assert found.would() == {
        "works": True, "seconds": 35.5, "downtime_seconds": 0.5, "services_down": {"scraper": 4.1},
    }  # fmt: skip
    assert [step["subject"] for step in found.steps] == ["app1", "scraper"]


def test_the_first_step_that_failed_is_the_answer() -> None:
    """A way back that fails too does not hide it."""
    lines = [*DONE, line("failed", "well-app1"), line("way-back", "well-app1"), line("failed", "back-app1")]
    assert failed_step(lines) == "well-app1"
    assert way_back(lines) == "it failed too"
    assert way_back([*lines, line("back", "well-app1")]).startswith("taken")
    assert way_back(DONE).startswith("not needed")
    assert failed_step(DONE) == ""
    assert not Rehearsed(None, failed="plan").would()["works"]


def plan(*ids: str) -> Plan:
    return Plan("reset", "connect", "0", {}, tuple(Step(name, "x", "y") for name in ids))


def test_steps_that_the_copy_had_not_are_told() -> None:
    """By their ids; the containers' names in them are the copy's own."""
    copy = "connect-rehearsal-0a1b2c"
    real = plan("keep-connect-app1-1", "keep-the-web", "cache-abc", "replace-proxy")
    assert not_rehearsed(real, plan(f"keep-{copy}-app1-1", f"keep-{copy}-the-web"), ("connect", copy)) == [
        "cache-abc", "replace-proxy",
    ]  # fmt: skip


def test_containers_of_the_copy_begin_at_one() -> None:
    """The target's carry the number that its last reset gave; they are as many, or it is said which is too many.

    A service whose own name ends in a number is another service.
    """
    copy = "connect-rehearsal-0a1b2c"
    made = plan(f"keep-{copy}-app1-1", f"drain-{copy}-app1-1", f"keep-{copy}-web-1", "prove-app1", "prove-web-2")
    real = plan("keep-connect-app1-7", "drain-connect-app1-7", "keep-connect-web-1", "prove-app1", "prove-web-2")
    assert not_rehearsed(real, made, ("connect", copy)) == []
    two = plan("keep-connect-app1-7", "keep-connect-app1-8", "prove-web-1", "prove-web-2")
    assert not_rehearsed(two, made, ("connect", copy)) == ["keep-connect-app1-8", "prove-web-1"]
    other = plan("prove-web-1", "keep-connect-web-1")
    assert not_rehearsed(other, plan("prove-web-2", f"keep-{copy}-web-2"), ("connect", copy)) == ["prove-web-1"]


def test_what_every_build_of_the_engine_uses_is_left_alone() -> None:
    """Records of the build cache are not the copy's."""
    assert is_shared(Step("cache-abc", "command", "source.local"))
    assert not is_shared(Step("build-images", "image.build", "app1"))


def test_who_acts_on_the_target_meanwhile_is_seen() -> None:
    """By a container, by what its tag means, by a volume; a volume that was written to is as it was."""
    before = ((builders.container(),), builders.healthy().volumes)
    assert untouched("connect", before, before).verdict == "pass"
    written = tuple(replace(volume, created="later") for volume in before[1])
    assert untouched("connect", before, (before[0], written)).verdict == "pass"
    for change in ({"id": "new"}, {"tag_image_id": builders.OLD}, {"started": "later"}, {"restarts": 1}):
        after = ((builders.container(**change),), before[1])
        found = untouched("connect", before, after)
        assert (found.verdict, found.observed) == ("fail", "changed meanwhile: connect-app1-1")
    assert untouched("connect", before, (before[0], ())).observed == "changed meanwhile: connect_postgres_data"
