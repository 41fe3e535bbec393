"""Known incidents as a person sees them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drillbook.decide.incidents import Match
from drillbook.observe.facts_signs import IncidentFact
from drillbook.show import incidents

KNOWN = IncidentFact(
    id="one", title="db is <undefined>", date="2025-10-13", symptoms=("boom", "bang"), causes=("stale-artifact",),
    resolved_by=("a reset", "a restore"), did_not_help=("build --no-cache",), duration="4 hours", lesson="look first",
    link="https://example.org/one",
)  # fmt: skip
MATCH = Match(
    KNOWN, 0.8, (("boom", "matches: HTTP 500 boom"),), ("bang",), ("stale-artifact",), (), (), ("then a; now b",)
)


def test_a_box_tells_what_helps_tonight() -> None:
    """What is the same, what resolved it, what did not help, what differs, in that order."""
    text = incidents.matches([MATCH]).text
    assert text.startswith("very like a known incident: db is <undefined>\n2025-10-13, took 4 hours")
    assert "1 of its 2 symptoms and 1 of its 1 causes" in text
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[2:] == [
        "the same symptom: matches: HTTP 500 boom", "the same cause: stale-artifact", "resolved by: a reset",
        "a restore", "did not help: build --no-cache", "differs: then a; now b", "lesson: look first",
        "see: https://example.org/one",
    ]  # fmt: skip


def test_a_title_is_text_and_a_link_leads_there() -> None:
    """What a file says is no markup; only an address of the web becomes a link."""
    page = incidents.matches([MATCH]).html
    assert "<undefined>" not in page
    assert 'href="https://example.org/one"' in page
    local = replace(MATCH, incident=replace(KNOWN, link="javascript:alert(1)"))
    assert "href" not in incidents.matches([local]).html


def test_three_are_enough() -> None:
    """A tired person gets the three most alike, and is told that there are more."""
    text = incidents.matches([MATCH] * 5).text
    assert text.count("a known incident:") == 3
    assert "2 more" in text


@pytest.mark.parametrize(("score", "words"), [(0.9, "very like"), (0.4, "rather like"), (0.1, "a little like")])
def test_likeness_is_told_in_words(score: float, words: str) -> None:
    """A share alone says little at night."""
    assert incidents.matches([replace(MATCH, score=score)]).text.startswith(f"{words} a known incident")


def test_none_is_told_and_how_to_add_one() -> None:
    """Nothing alike is said, and where it can be added."""
    assert "no known incident" in incidents.matches([]).text


def test_what_nobody_wrote_down_is_left_out() -> None:
    """An incident without a day, a duration or a lesson has no empty line."""
    bare = replace(
        MATCH, incident=replace(KNOWN, date="", duration="", lesson="", link="", did_not_help=()), differs=()
    )
    assert "\n\n" not in incidents.matches([bare]).text
    assert ": \n" not in incidents.matches([bare]).text
