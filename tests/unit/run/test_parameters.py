"""Strict parameters, before any kernel."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from drillbook.errors import BadParameters, RunbookError
from drillbook.run import declared, parameters, runbooks
from drillbook.run.runbooks import Runbook

FIXTURE = Path(__file__).parents[2] / "notebooks/fixtures/08-parameters.ipynb"


@pytest.fixture
def book() -> Runbook:
    return runbooks.read(FIXTURE)


def test_the_tagged_cell_is_read_without_running_it(book: Runbook) -> None:
    """Names, types, defaults, choices, and the comment as the description."""
    scope = next(p for p in book.parameters if p.name == "scope")
    assert (scope.default, scope.choices, scope.description) == (
        "auto", ("auto", "images", "database"), "what may be replaced",
    )  # fmt: skip
    assert parameters.schema(FIXTURE).model_fields["count"].annotation is int


@pytest.mark.parametrize("line", ["count = 1", "count: int = len('x')", "count: set[str] = []", "import os; os.x()"])
def test_a_cell_that_needs_running_is_an_error(line: str) -> None:
    """Only `name: type = literal` can be told without running it."""
    with pytest.raises(RunbookError, match="parameters cell"):
        declared.parameters(line, "01-x.ipynb")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("code", "007", "007"), ("code", "true", "true"), ("count", "-3", -3), ("ratio", "1e-3", 0.001),
        ("fast", "true", True), ("names", "[a, b]", ["a", "b"]), ("labels", "{a: b}", {"a": "b"}),
        ("maybe", "4", 4), ("maybe", "null", None), ("password", "env:X", "env:X"), ("code", "a=b", "a=b"),
    ],
)  # fmt: skip
def test_text_becomes_what_its_type_says(book: Runbook, name: str, text: str, value: Any) -> None:
    """Text stays text where text is declared."""
    assert parameters.resolve(book, {name: text}, {})[name] == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("count", "007"), ("count", "1.0"), ("count", "true"), ("fast", "yes"), ("fast", "True"), ("names", "a"),
        ("names", "[1]"), ("scope", "all"), ("ratio", "much"), ("maybe", "x"), ("labels", "{a: 1}"), ("nmaes", "[]"),
    ],
)  # fmt: skip
def test_text_of_another_type_is_refused(book: Runbook, name: str, text: str) -> None:
    """With the parameter's name in the fact."""
    with pytest.raises(BadParameters, match=f"08-parameters.ipynb: parameter {name}:"):
        parameters.resolve(book, {name: text}, {})


@pytest.mark.parametrize(("name", "value"), [("code", 7), ("count", "7"), ("fast", 1), ("count", True), ("scope", 1)])
def test_a_file_is_typed_strictly(book: Runbook, name: str, value: Any) -> None:
    """YAML has types of its own: nothing is coerced."""
    with pytest.raises(BadParameters, match=f"parameter {name}"):
        parameters.resolve(book, {}, {name: value})


def test_the_command_line_wins_over_the_file(book: Runbook) -> None:
    """And defaults fill the rest."""
    resolved = parameters.resolve(book, {"count": "2"}, {"count": 1, "code": "x"})
    assert (resolved["count"], resolved["code"], resolved["scope"]) == (2, "x", "auto")


def test_a_secret_is_named_never_given(book: Runbook) -> None:
    """And the value that was given by mistake is not repeated."""
    with pytest.raises(BadParameters) as caught:
        parameters.resolve(book, {"password": "hunter2"}, {})
    assert "hunter2" not in str(caught.value)


def test_plain_papermill_is_held_to_the_same_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """papermill warns of unknown names and makes numbers of texts; the session does not let that pass."""
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "parameters").mkdir()
    shutil.copy(FIXTURE, tmp_path / "runbooks")
    monkeypatch.setenv("DRILLBOOK_HOME", str(tmp_path))
    parameters.check_injected("parameters", ["", "x = 1"])
    parameters.check_injected("parameters", ["", '# Parameters\ncode = "007"\nfast = True\n'])
    with pytest.raises(BadParameters, match="parameter cuont"):
        parameters.check_injected("parameters", ["# Parameters\ncuont = 1\n"])
    with pytest.raises(BadParameters, match="-r code"):
        parameters.check_injected("parameters", ["# Parameters\ncode = 7\n"])
    with pytest.raises(BadParameters, match="choices"):
        parameters.check_injected("parameters", ['# Parameters\nscope = "all"\n'])
