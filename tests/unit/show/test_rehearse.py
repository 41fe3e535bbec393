"""What a rehearsal tells a person: how long it takes, and for how long what is down."""

from __future__ import annotations

from typing import Any

import pytest

from drillbook.decide.rehearsed import Rehearsed
from drillbook.show import rehearse

COPY = {"seconds": 6.0, "restore_seconds": 1.0}


def told(down: dict[str, float], **measured: Any) -> str:
    probed = {
        "downtime_seconds": 0.0,
        "requests": 8,
        "requests_failed": 0,
        "requests_unmended": 0,
        "worst_seconds": 1.2,
    }
    steps = ({"step": "replace-web", "subject": "web", "seconds": 3.0},)
    return rehearse.answer("shop", Rehearsed(None, steps, meanwhile={**probed, **measured}, down=down), COPY).text


@pytest.mark.parametrize(
    ("down", "seconds", "title"),
    [
        ({}, 0.0, "It would work: about 3 s, no endpoint down"),
        ({"web": 1.1}, 0.0, "It would work: about 3 s, no request failed"),
        ({"web": 1.1}, 0.9, "It would work: about 3 s, endpoints down for 0.9 s"),
    ],
)
def test_what_was_down_is_told_even_when_nobody_saw_it(down: dict[str, float], seconds: float, title: str) -> None:
    """Who asks in that second may wait until the new one answers: no request fails, and it was down all the same."""
    said = told(down, downtime_seconds=seconds)
    assert title in said
    assert ("down meanwhile: web for 1 s" in said) == bool(down)


def test_requests_are_told_with_those_that_failed_before() -> None:
    """Counted apart: they say nothing of the reset."""
    assert "0 of 8 requests failed, the slowest took 1.20 s." in told({})
    assert "3 more of endpoints that failed from the beginning" in told({}, requests_unmended=3)
