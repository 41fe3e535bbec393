"""Findings on the screen and in a log."""

from __future__ import annotations

from drillbook.decide.dockerfile import Finding
from drillbook.show.findings import findings

REPLACE = Finding(
    "floating-base", "app1, app2", "/srv/Dockerfile", 2, "moves <daily>", ("# ask", "FROM n@x"), "note", 3
)
ADD = Finding("artifact-in-context", "app1", "/srv/.dockerignore", 4, "gets in", (".next",))


def test_no_trap_is_a_pass() -> None:
    """An empty table says so in words."""
    view = findings([])
    assert "no trap that we know" in view.text
    assert "✓" in view.html or "#1a7f37" in view.html


def test_each_finding_has_its_place_and_below_it_the_lines_to_copy() -> None:
    """What stands in place of lines and what is added are told apart; the page is escaped."""
    page = findings([ADD, REPLACE]).html
    for text in ("/srv/.dockerignore:4", "after line 4:\n.next", "for lines 2 to 3:\n# ask\nFROM n@x", "warn", "note"):
        assert text in page
    assert "moves &lt;daily&gt;" in page
    assert "<daily>" not in page


def test_log_has_the_lines_whole() -> None:
    """In a log, where there is no table to look at, nothing is cut."""
    text = findings([ADD, Finding("r", "s", "/f", 0, "s" * 200, ("l" * 200,))]).text
    assert "  gets in\n    after line 4:\n    .next" in text
    assert "s" * 200 in text
    assert "as the first lines:\n    " + "l" * 200 in text
