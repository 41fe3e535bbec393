"""The page about broken backups holds every case of the corpus, and drillbook is right in each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from corpus.damage import FOUND, METHODS, SIGNED, Case, cases
from corpus.page import right, wrong

PAGE = Path(__file__).resolve().parents[2] / "docs" / "detection.md"
CASES = list(cases(lambda _method, _table: lambda folder: folder, Path()))


def rows() -> dict[str, list[str]]:
    """case → its cells, drillbook's two first."""
    found = re.findall(r"^\| (.+?) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split("|")] for name, cells in found if name != "what is wrong"}


def test_the_page_has_every_case_of_the_corpus() -> None:
    """Whoever adds a case runs `make corpus`."""
    assert list(rows()) == [case.name for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_drillbook_is_right_about_each(case: Case) -> None:
    """A sound backup is green and a broken one red, as found and signed."""
    told = dict(zip((FOUND, SIGNED), rows()[case.name], strict=False))
    assert told == {flavour: right(case) if flavour in case.flavours else "–" for flavour in (FOUND, SIGNED)}


def test_the_corpus_is_large_enough_and_of_every_kind() -> None:
    """Broken in every kind of file, in every compression, with checksums that agree and without."""
    broken = [case for case in CASES if right(case) == "red"]
    assert len(broken) >= 45
    assert sum(SIGNED in case.flavours for case in broken) >= 45
    assert {case.method for case in broken if "a bit in the middle" in case.name} == set(METHODS)
    assert len({case.name for case in CASES}) == len(CASES)


def test_a_wrong_cell_is_told() -> None:
    """A broken backup that was called good, and a drill that could not tell: both are wrong."""
    one = [Case("rows cut", lambda _folder: None)]
    assert wrong(one, {(0, FOUND): "red", (0, SIGNED): "red"}) == []
    assert wrong(one, {(0, FOUND): "green", (0, SIGNED): "unknown"}) == [
        "WRONG: rows cut, as found: green", "WRONG: rows cut, signed: unknown",
    ]  # fmt: skip
