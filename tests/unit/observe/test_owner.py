"""Whose something is: gone only when it provably is."""

from __future__ import annotations

import pytest
from ghost import ghost_owner

from drillbook.observe.owner import is_gone, ourselves


def test_owner_that_ended_is_gone_and_one_that_runs_is_not() -> None:
    """Told in a file, or in labels that begin with a prefix."""
    assert is_gone(ghost_owner())
    assert is_gone({f"x.{name}": value for name, value in ghost_owner().items()}, "x.")
    assert not is_gone(ourselves())
    assert not is_gone(ourselves("x."), "x.")
    assert not is_gone(ghost_owner(), "x."), "nothing is told under that prefix"


@pytest.mark.parametrize(
    "told",
    [
        {"host": "elsewhere"}, {"pid": ""}, {"pid": "-1"}, {"pid": "²"}, {"pid": "1\n"},
        {"pid_started": ""}, {"pid_started": "1"}, {"pid_started": "m/b/pid:[1]/1"}, {"pid_started": "///"},
    ],
)  # fmt: skip
def test_owner_that_is_told_badly_or_elsewhere_is_never_gone(told: dict[str, str]) -> None:
    """Unknown is not gone."""
    assert not is_gone(ghost_owner() | told)


def test_owner_in_another_namespace_of_this_boot_is_never_gone() -> None:
    """Its number means another process there."""
    was = ghost_owner()
    machine, boot, _, start = was["pid_started"].split("/")
    assert not is_gone(was | {"pid_started": f"{machine}/{boot}/pid:[1]/{start}"})
