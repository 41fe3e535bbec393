"""The gate: the fingerprint typed by a person, or given as a parameter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from drillbook.decide.plan import Plan, Step
from drillbook.show.gate import TYPED, Approval, ask, carried, told

PLAN = Plan("reset", "connect", "0", {"backup": "b1"}, (Step("x", "v", "s"),))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the gate displays, caught on its way to the browser."""
    boxes: list[Any] = []
    monkeypatch.setattr("IPython.display.display", boxes.append)
    return boxes


def parts(shown: list[Any]) -> tuple[Any, Any, Any]:
    said, row = shown[0].children
    field, button = row.children
    return said, field, button


@pytest.mark.parametrize("typed", ["", "0", "ffffff", PLAN.fingerprint[: TYPED - 1], f"{PLAN.fingerprint}0"])
def test_wrong_digits_keep_the_button_disabled(shown: list[Any], typed: str) -> None:
    """The button can be pressed only when the first six digits of this plan, or more of them, are typed."""
    given = ask(PLAN)
    _, field, button = parts(shown)
    field.value = typed
    assert button.disabled
    assert not given.covers(PLAN)


def test_right_digits_alone_approve_nothing(shown: list[Any]) -> None:
    """Typing is not approving: the button must be pressed as well."""
    given = ask(PLAN)
    _, field, button = parts(shown)
    for digits in (f" {PLAN.fingerprint[:TYPED].upper()} ", PLAN.fingerprint):
        field.value = digits
        assert not button.disabled
    assert not given.covers(PLAN)


def test_pressed_button_approves_this_plan_only(shown: list[Any]) -> None:
    """After the button this plan is approved, no other, and the button cannot be pressed again."""
    given = ask(PLAN)
    said, field, button = parts(shown)
    field.value = PLAN.fingerprint[:TYPED]
    button.click()
    assert given.covers(PLAN)
    assert not given.covers(replace(PLAN, basis={"backup": "b2"}))
    assert button.disabled
    assert field.disabled
    assert PLAN.fingerprint in said.value


def test_digits_that_become_wrong_again_disable_the_button(shown: list[Any]) -> None:
    """Who corrects the digits into wrong ones finds the button disabled again."""
    ask(PLAN)
    _, field, button = parts(shown)
    field.value = PLAN.fingerprint[:TYPED]
    field.value = PLAN.fingerprint[: TYPED - 1]
    assert button.disabled


@pytest.mark.parametrize("approval", ["", PLAN.fingerprint[:TYPED], "0" * 16, "yes"])
def test_parameter_must_be_the_whole_fingerprint(approval: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Unattended only the whole fingerprint of this plan approves it."""
    assert not told(PLAN, approval).covers(PLAN)
    assert "approved" not in capsys.readouterr().out


def test_given_fingerprint_approves(capsys: pytest.CaptureFixture[str]) -> None:
    """The plan's fingerprint as a parameter approves, blanks and case aside, and the copy says so."""
    assert told(PLAN, f" {PLAN.fingerprint.upper()}\n").covers(PLAN)
    assert f"approved: {PLAN.fingerprint}" in capsys.readouterr().out


def test_no_approval_covers_nothing() -> None:
    """Without a fingerprint nothing is approved."""
    assert not Approval().covers(PLAN)


def test_carried_approval_covers_the_plan_that_was_cut_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """A resumed run goes on without asking again, for this very plan; the copy says where it was approved."""
    given = carried(PLAN, "20251013T010000Z-reset-abc123")
    assert given.covers(PLAN)
    assert not given.covers(replace(PLAN, basis={"backup": "b2"}))
    said = capsys.readouterr().out
    assert f"approved: {PLAN.fingerprint}" in said
    assert "in 20251013T010000Z-reset-abc123, for this same plan, which is not finished" in said
