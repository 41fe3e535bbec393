"""Views: safe as HTML, readable as text."""

from __future__ import annotations

import pytest

from drillbook.show.view import View, callout, chip, show, table

SCRIPT = "<script>alert('x')</script>"


@pytest.mark.parametrize(
    "view",
    [
        table(SCRIPT, [{"observed": SCRIPT}]),
        table("t", [{SCRIPT: "x"}], mono=(SCRIPT,)),
        table("t", [{"verdict": SCRIPT}]),
        table(SCRIPT, []),
        callout("fail", SCRIPT, SCRIPT, SCRIPT),
        callout(SCRIPT, "title"),
    ],
)
def test_nothing_observed_becomes_markup(view: View) -> None:
    """What an endpoint answered or a container logged can never run as a script in the notebook."""
    assert "<script" not in view.html


def test_text_form_is_a_table() -> None:
    """In a log the same table is aligned text, each row on one line."""
    view = table("Runs", [{"run": "a", "fact": "first\nsecond"}, {"run": "bcd", "fact": ""}])
    assert repr(view) == "Runs\nrun  fact\na    first second\nbcd"


def test_long_cells_are_cut_in_text_only() -> None:
    """A long cell is cut in a log and whole in the notebook."""
    view = table("t", [{"observed": "x" * 100}])
    assert "x" * 61 not in view.text
    assert "x" * 100 in view.html


def test_missing_values_are_blank() -> None:
    """A row that lacks a column has a blank there."""
    assert table("t", [{"a": 1, "b": 2}, {"a": 3}]).text == "t\na  b\n1  2\n3"


def test_empty_table_says_so() -> None:
    """A table without rows says none, instead of being invisible."""
    assert table("Runs", []).text == "Runs: none"


@pytest.mark.parametrize(("verdict", "sign"), [("pass", "✓"), ("fail", "✗"), ("unknown", "?")])
def test_verdict_is_a_word_and_a_sign(verdict: str, sign: str) -> None:
    """A verdict is told by a word and a sign, never by colour alone."""
    assert f"{sign} {verdict}" in chip(verdict)


def test_details_are_folded_but_there() -> None:
    """Technical details wait behind a click; the log leaves them out."""
    view = callout("fail", "stopped", "HINT: x", "Traceback")
    assert "<details>" in view.html
    assert "Traceback" in view.html
    assert view.text == "stopped\nHINT: x"


def test_views_add_up() -> None:
    """Two views can be shown as one."""
    both = View("<b>1</b>", "1") + View("<b>2</b>", "2")
    assert (both.html, both.text) == ("<b>1</b><b>2</b>", "1\n2")


def test_outside_a_notebook_the_text_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """In a shell a view is printed as text."""
    show(View("<b>x</b>", "x"))
    assert capsys.readouterr().out == "x\n"
