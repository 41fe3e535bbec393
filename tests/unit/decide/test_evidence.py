"""The verdict over many checks."""

from __future__ import annotations

import pytest

from drillbook.decide.evidence import Verdict, overall


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (["pass", "pass"], "pass"),
        (["pass", "unknown"], "unknown"),
        (["pass", "unknown", "fail"], "fail"),
        ([], "unknown"),
    ],
)
def test_worst_verdict_wins(seen: list[Verdict], verdict: Verdict) -> None:
    """One failure fails, one unknown keeps from passing, and nothing asked is unknown."""
    assert overall(seen) == verdict
