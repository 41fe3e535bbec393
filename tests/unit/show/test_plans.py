"""A plan as a person reads it before the approval: every command, what it touches, the way back, the fingerprint."""

from __future__ import annotations

import html
import shlex
from dataclasses import replace
from typing import Any

import builders
import pytest

from drillbook.decide.plan import Object, Plan, Step
from drillbook.decide.reset import plan_reset
from drillbook.observe.facts import ImageFact
from drillbook.show import plans
from drillbook.show.view import COLOURS

STACK = builders.stack(proxy=builders.PROXY)
NOTHING = Plan("drill", "t", "0", {}, (Step("x", "v", "s"),))


def made(**changes: Any) -> Plan:
    facts = builders.stale_artifact(**changes)
    return plan_reset(builders.target(stack=STACK), facts, "images", builders.backup(), builders.COMMANDS)


def test_plan_shows_each_command_and_what_it_destroys() -> None:
    """Every command, what is destroyed, what brings it back, what it rests on, and the fingerprint."""
    plan = made()
    view = plans.plan(plan)
    assert f"Plan {plan.fingerprint}: {len(plan.steps)} steps on connect" in view.text
    for step in plan.steps:
        assert step.id in view.text
        assert html.escape(shlex.join(step.argv)) in view.html
    assert "--scale app1=2 app1" in view.html
    assert "host artifact .next (moved into the run&#x27;s folder)" in view.html
    assert "move it back from aside/" in view.html
    assert "no volume is removed" in view.text
    assert f"rests on proven backup {builders.backup().name}" in view.text


def test_plan_shows_its_way_back() -> None:
    """A person sees beforehand what is done when a step fails."""
    plan = made()
    text = plans.plan(plan).html
    assert f"when a step fails once something was switched: {len(plan.back)} steps" in text
    assert all(step.id in text for step in plan.back)
    assert "way back" not in plans.plan(NOTHING).html


def test_plan_shows_how_big_and_how_old_what_it_touches_is() -> None:
    """Each object with its scope, size and age; what nobody measured is not told as nothing."""
    known = ImageFact(builders.NEW, "connect-app1", 1_760_000_000.0, 5_000_000, ())
    text = plans.plan(made(engine_images={builders.NEW: known})).text
    assert "What it touches: 3 objects" in text
    assert "5.0 MB" in text
    unknown = plans.objects(replace(NOTHING, objects=(Object("images", "image", "web", "x", "goes", "pull"),))).text
    assert "web" in unknown
    assert "0 B" not in unknown


def test_plan_quotes_as_a_shell_would() -> None:
    """A command can be copied into a shell as it is shown."""
    step = Step("x", "command", "x", ("docker", "tag", "a b", "c;d"))
    assert "docker tag &#x27;a b&#x27; &#x27;c;d&#x27;" in plans.plan(Plan("reset", "t", "0", {}, (step,))).html


def test_plan_that_destroys_nothing_says_so() -> None:
    """A harmless plan says that it destroys nothing, and does not warn of it."""
    view = plans.plan(NOTHING)
    assert "• nothing" in view.text
    assert COLOURS["warn"] not in view.html
    assert COLOURS["warn"] in plans.plan(made()).html


@pytest.mark.parametrize(
    ("step", "shown"),
    [
        (Step("x", "v", "s", sql="ALTER DATABASE a RENAME TO b"), "ALTER DATABASE a RENAME TO b"),
        (Step("x", "v", "s", args={"names": ["a", "b"], "times": 10}), "names=a b, times=10"),
        (Step("x", "v", "s", args={"was": {"a": 1}}), 'was={"a": 1}'),
        (Step("x", "v", "s", args={"rows": [["a", 1]]}), 'rows=[["a", 1]]'),
    ],
)
def test_step_without_a_command_shows_what_it_is_given(step: Step, shown: str) -> None:
    """Its SQL, or its arguments: flat ones as words, nested ones as JSON."""
    assert shown in plans.plan(replace(NOTHING, steps=(step,))).text
