"""Which steps of a plan a sweep strikes, and when a later strike is known already."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drillbook.act.journal import Journal
from drillbook.errors import RunbookError
from sweep import rows
from sweep.__main__ import kinds
from sweep.faults import FAULTS, Fault
from sweep.rows import NOTHING, Row, Steps, swept
from sweep.stand import STRUCK

STEPS = list("abcdef")
LASTS = next(fault for fault in FAULTS if fault.lasts)


@pytest.fixture
def stood(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setattr(rows, "approved", lambda stood: "0" * 12)
    monkeypatch.setattr(rows, "_steps", lambda stood: STEPS)
    return SimpleNamespace(site=SimpleNamespace(project="stand"), outputs=tmp_path)


def struck(monkeypatch: pytest.MonkeyPatch, stood: Any, fault: Fault, fails: str, steps: Steps) -> list[str]:
    """The steps that are struck where each run ends at the next one of *fails*; `+` where one is resumed."""

    def strike(stood: Any, fault: Fault, step: str, moment: str, words: tuple[str, ...]) -> tuple[Row, str, Path]:
        found.append(step + "+" * (words[0] == "--resume"))
        last = next((at for at in fails if at >= step), "")
        folder = stood.outputs / str(len(found))
        folder.mkdir()
        journal = Journal(folder / "journal.jsonl")
        for begun in STEPS[: STEPS.index(last or STEPS[-1]) + 1]:
            journal.write("intent", step=begun)
        (folder / STRUCK).touch()
        return Row(fault.name, step, "", "", NOTHING, 1.0), "run" if last else "", folder

    def ending(stood: Any, fault: Fault, run: str) -> Row:
        return Row(fault.name, "end", "", "", NOTHING, 1.0)

    found = list[str]()
    monkeypatch.setattr(rows, "_struck", strike)
    monkeypatch.setattr(rows, "_ending", ending)
    swept(stood, fault, steps)
    return found


@pytest.mark.parametrize(("fails", "where"), [("", ["a"]), ("d", ["a", "e+"]), ("abf", ["a", "b+", "c+"])])
def test_a_lasting_fault_is_not_struck_where_an_earlier_run_met_it(
    monkeypatch: pytest.MonkeyPatch, stood: Any, fails: str, where: list[str]
) -> None:
    """A run began each step up to the one that failed under the fault; the next strike is at the step behind that."""
    assert struck(monkeypatch, stood, LASTS, fails, Steps()) == where


def test_a_fault_that_never_struck_tells_of_no_other_step(tmp_path: Path) -> None:
    """The journal holds the step and what came after it all the same."""
    journal = Journal(tmp_path / "journal.jsonl")
    for step in "abc":
        journal.write("intent", step=step)
    assert rows._met(tmp_path, "a") == []
    (tmp_path / STRUCK).touch()
    assert rows._met(tmp_path, "a") == ["b", "c"]
    assert rows._met(tmp_path, "d") == []


def test_a_fault_that_is_over_is_struck_at_every_step(monkeypatch: pytest.MonkeyPatch, stood: Any) -> None:
    """An engine that was restarted at one step says nothing of a restart at the next."""
    assert struck(monkeypatch, stood, replace(LASTS, lasts=False), "", Steps()) == STEPS


def test_named_steps_are_all_struck(monkeypatch: pytest.MonkeyPatch, stood: Any) -> None:
    assert struck(monkeypatch, stood, LASTS, "", Steps(named=("b", "e"))) == ["b", "e"]


def test_what_is_drawn_is_struck_at_its_first_step_at_least(monkeypatch: pytest.MonkeyPatch, stood: Any) -> None:
    assert struck(monkeypatch, stood, LASTS, "", Steps(seed="0123456789abcdef"))


def test_a_night_makes_every_kind_once() -> None:
    """Those that nothing may run beside have a stage of their own; a name that there is not is no kind."""
    assert {*kinds((), "no"), *kinds((), "only")} == set(FAULTS) == set(kinds(()))
    assert not {*kinds((), "no")} & {*kinds((), "only")}
    assert [fault.name for fault in kinds(("SIGTERM",))] == ["SIGTERM"]
    assert kinds(("sigterm?",)) == []


def test_what_cannot_be_read_is_a_loss_and_the_sweep_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def unread() -> list[str]:
        raise RunbookError("the engine lost 3 answers", "run this again")

    stood: Any = SimpleNamespace(wait=lambda: None, lost=unread, site=SimpleNamespace(project="p"))
    row = rows._row(stood, FAULTS[0], "tag-app1", {"status": "failed", "code": 1, "crude": []}, [], 1.0)
    assert row.lost.startswith("what it holds cannot be read: the engine lost 3 answers")
