"""A loss at a glance: by a sentence, a sign, a bar and a colour."""

from __future__ import annotations

from typing import Any

import pytest

from drillbook.decide.rows import Change, TableRows
from drillbook.show.rows import rows
from drillbook.show.view import COLOURS


def row(change: Change, before: int | None, now: int | None, **given: Any) -> TableRows:
    raw = {"database": "main", "table": f"public.{change}", "estimated": False, "backup": "b1", "age_seconds": 7300.0}
    return TableRows(**{**raw, **given}, before=before, now=now, change=change)


LOST, FEWER, LESS = row("lost", 1200, 0), row("fewer", 100, 20), row("less", 100, 80)
SAME, NEW, UNREAD = row("same", 5, 5), row("new", None, 3), row("unread", 9, None)


@pytest.mark.parametrize(
    ("items", "headline", "kind"),
    [
        ([LOST, SAME, LESS], "1 of 3 tables lost all rows since backup b1, 2 h ago", "warn"),
        ([LOST, NEW], "1 of 1 tables lost all rows since backup b1, 2 h ago", "fail"),
        ([FEWER, SAME], "no table lost all rows since backup b1, 2 h ago", "warn"),
        ([UNREAD, SAME], "no table that was read lost half of its rows since backup b1, 2 h ago", "unknown"),
        ([LESS, SAME], "no table lost half of its rows since backup b1, 2 h ago", "pass"),
        ([SAME, NEW], "no table lost rows since backup b1, 2 h ago", "pass"),
        ([row("new", None, 3, backup="")], "3 rows in 1 tables; there is no backup to hold them against", "note"),
    ],
)
def test_the_headline_says_what_is_lost(items: list[TableRows], headline: str, kind: str) -> None:
    """One sentence, in the colour of what it says."""
    view = rows(items)
    assert view.text.splitlines()[0] == headline
    assert f"border-left:4px solid {COLOURS[kind]}" in view.html


def test_losses_stand_open_and_the_rest_is_folded() -> None:
    """The tables that are as they were do not stand in the way, but are there."""
    before, _, behind = rows([LOST, FEWER, SAME]).html.partition("<details")
    assert "public.lost" in before
    assert "public.fewer" in before
    assert "public.same" not in before
    assert "public.same" in behind


def test_no_colour_stands_alone() -> None:
    """Every row says by a word and a sign what its colour says, in a log too."""
    view = rows([LOST, FEWER, UNREAD, SAME, NEW, LESS])
    for word in ("✗ lost", "▼ fewer", "? not read", "✓ kept", "+ new", "▽ less"):
        assert f">{word}</b>" in view.html
        assert word in view.text


def test_the_bar_is_what_is_left() -> None:
    """A fifth is left: a fifth of the bar; where there was nothing or nothing is known there is none."""
    assert 'title="20%"' in rows([FEWER]).html
    assert "width:28px" in rows([FEWER]).html
    assert "title=" not in rows([NEW, UNREAD]).html
    assert 'title="100%"' in rows([row("more", 5, 500)]).html


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "just now"), (61, "1 min ago"), (7300, "2 h ago"), (400_000, "4 d ago")]
)
def test_the_backups_age_is_told(seconds: float, text: str) -> None:
    """How much work a restore would cost is seen with the loss."""
    assert text in rows([row("lost", 1, 0, age_seconds=seconds)]).text


def test_estimates_are_marked_and_numbers_grouped() -> None:
    """A number that was not counted says so."""
    assert "1,204,118 → ≈ 1,300,000" in rows([row("more", 1_204_118, 1_300_000, estimated=True)]).text


def test_names_are_no_markup_and_break_no_line() -> None:
    """A table may be called anything."""
    view = rows([row("lost", 1, 0, table="public.<script>\n")])
    assert "<script" not in view.html
    assert len(view.text.splitlines()) == 3


def test_nothing_to_show_shows_nothing() -> None:
    """A target without a database has no rows."""
    assert (rows([]).html, rows([]).text) == ("", "")
