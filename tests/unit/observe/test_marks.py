"""The mark on what was kept: readable again, and the comment below it is what was there before."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from drillbook.observe.marks import Mark, State, read, without

MARK = Mark("kept", 'odd "name"\nof two lines', "connect", "20251013T010000Z-restore-1", "20251013T010000Z-abc123")


@pytest.mark.parametrize("state", get_args(State))
@pytest.mark.parametrize("comment", ["", "ours", "two\nlines", "drillbook: not a mark"])
def test_a_mark_is_read_and_taken_off_again(comment: str, state: State) -> None:
    """Whatever stood there, and whatever was done."""
    mark = replace(MARK, state=state)
    assert read(mark.over(comment)) == mark
    assert without(mark.over(comment)) == comment
    assert "\n" not in MARK.over("")


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "kept",
        "drillbook: restore of x under way",
        'drillbook: "a" lost for b by run c of d',
        'x drillbook: "a" kept for b',
    ],
)
def test_other_comments_are_no_marks(comment: str) -> None:
    """And they stay as they are."""
    assert read(comment) is None
    assert without(comment) == comment
