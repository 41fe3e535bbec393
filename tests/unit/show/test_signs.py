"""Early-warning signs as a person sees them."""

from __future__ import annotations

from dataclasses import replace

from drillbook.decide.early import Early
from drillbook.decide.signs import Sign, Warning
from drillbook.show import signs

TOLD = Warning(
    signs=(
        Sign("error rate", "exceeded", "100 % of 8 answers (endpoint matches)", "over 50 %"),
        Sign("recent deployment", "exceeded", "12 min ago (newest image)", "within 24 h"),
        Sign("rebuilds", "exceeded", "5 of app1 since the last healthy diagnosis", "more than 2"),
    ),
    suspected=True,
    says="suspect cache pollution; do not rebuild",
    lines=(("app1", "TypeError: <b>x</b>", 4),),
    early=(Early("rebuilt several times", True, "app1 5 times"), Early("works in development", None, "ask another")),
    unknown={"log of h5-proxy-1": "its driver does not support reading"},
)


def test_all_of_it_is_shown() -> None:
    """The box, the table, the checklist, the lines, and what could not be asked."""
    view = signs.warning(TOLD)
    for words in ("Cache pollution is suspected", "do not rebuild", "✗ exceeded", "● there", "? unknown", "TypeError"):
        assert words in view.text
        assert words in view.html
    assert "log of h5-proxy-1: its driver" in view.text


def test_what_was_logged_is_no_markup() -> None:
    """A line of a log is text, whatever is in it."""
    assert "<b>x</b>" not in signs.warning(TOLD).html


def test_no_suspicion_is_no_box() -> None:
    """Without all three signs there is a table and no alarm."""
    calm = replace(TOLD.signs[0], state="within")
    view = signs.warning(replace(TOLD, signs=(calm, *TOLD.signs[1:]), suspected=False, lines=(), early=(), unknown={}))
    assert "suspected" not in view.text
    assert "✓ within" in view.text


def test_signs_that_are_not_there_are_unknown() -> None:
    """What could not be observed is said, not left out."""
    assert "could not be observed" in signs.warning(None).text
