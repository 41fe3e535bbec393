"""The docs are true where a machine can tell: each command parses, each link leads somewhere."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from drillbook.cli import app, pairs
from drillbook.run import parameters, runbooks

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "runbooks/*.md", "deploy/**/*.md", "parameters/**/*.md", "sandbox/**/*.md")
    for page in ROOT.glob(pattern)
    if ".state" not in page.parts
)
NOTEBOOKS = sorted((ROOT / "runbooks").glob("*.ipynb"))
NO_TARGETS_YET = {"T", "shop"}


def text(file: Path) -> str:
    if file.suffix != ".ipynb":
        return file.read_text()
    cells = json.loads(file.read_text())["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def commands(said: str) -> Iterator[str]:
    """Every command line of drillbook: in a block as it stands, in a span without its brackets and dots."""
    yield from re.findall(r"^(?: {4}|\$ )((?:drillbook|papermill) .*)$", said, re.MULTILINE)
    for span in re.findall(r"`(drillbook [^`]+)`", said):
        if not span.endswith("…"):
            yield re.sub(r"[\[\]…]", " ", span)


def parsed(words: list[str]) -> dict[str, object]:
    """The values that the shell would see; it runs nothing.

    Raises:
        click.UsageError: the shell would not take it.
    """
    command, context, rest = typer.main.get_command(app), None, words
    while hasattr(command, "commands"):
        context = command.make_context("drillbook", list(rest), parent=context, resilient_parsing=False)
        name, *rest = [*getattr(context, "_protected_args", []), *context.args]
        assert name in command.commands, f"there is no command {name}"
        command = command.commands[name]
    return command.make_context(name, list(rest), parent=context).params


def every() -> list[tuple[str, str]]:
    return [(file.name, line) for file in [*PAGES, *NOTEBOOKS] for line in commands(text(file))]


@pytest.mark.parametrize(("page", "line"), every())
def test_each_command_is_one_that_the_shell_takes(page: str, line: str) -> None:
    """A command that a person copies from a page is a command, with a runbook, a target and parameters that exist."""
    program, *words = shlex.split(line, comments=True)
    if program == "papermill":
        assert (ROOT / words[0]).is_file()
        assert (ROOT / words[words.index("-f") + 1]).is_file()
        return
    if len(words) == 1:  # a command's name, in a sentence
        assert words[0] in typer.main.get_command(app).commands  # type: ignore[attr-defined]
        return
    given = parsed(words)
    target = str(given.get("target") or "")
    if target and target not in NO_TARGETS_YET:
        assert (ROOT / "parameters" / "targets" / f"{target}.yaml").is_file()
    if words[0] == "run" and given["runbook"] != "RUNBOOK":
        values = {**pairs(list(given["p"] or [])), "target": target}  # type: ignore[call-overload]
        if given["approve"]:
            values["approval"] = str(given["approve"])
        file = {} if given["f"] is None else parameters.parameters_file(ROOT / str(given["f"]))
        parameters.resolve(runbooks.find(str(given["runbook"])), values, file)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_leads_somewhere(page: Path) -> None:
    """A relative link on a page leads to a file or folder that is there."""
    for link in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in link:
            assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_named_file_of_the_house_is_there(page: Path) -> None:
    """A path of the checkout that a page names is there."""
    for path in re.findall(r"`((?:runbooks|parameters|sandbox|deploy|docs|lib)/[\w./-]+)`", page.read_text()):
        assert (ROOT / path).exists(), path


def test_index_names_every_runbook() -> None:
    """The index by symptom leads to every runbook."""
    said = (ROOT / "runbooks" / "README.md").read_text()
    assert [file.name for file in NOTEBOOKS if f"({file.name})" not in said] == []


def test_readme_names_every_command() -> None:
    """The README's table has every command of the shell that is not hidden, and no exit code is left out."""
    said = (ROOT / "README.md").read_text()
    shell = typer.main.get_command(app)
    names = {name for name, command in shell.commands.items() if not command.hidden}  # type: ignore[attr-defined]
    assert {name for name in names if f"`drillbook {name}" not in said} == set()
    assert all(f"| {code} |" in said for code in ("0", "1", "2", "3", "4", "143, 130"))


@pytest.mark.parametrize(
    "line",
    ["run reset --tarket connect", "runn reset", "run", "sandbox brake stale-artifact", "runs --json extra", "audit"],
)
def test_a_wrong_command_is_caught(line: str) -> None:
    """A command that the shell would not take is caught by these tests."""
    with pytest.raises(BaseException) as caught:
        parsed(shlex.split(line))
    assert type(caught.value).__name__ != "KeyboardInterrupt"


def test_a_wrong_parameter_is_caught() -> None:
    """A page that gives a parameter which the runbook does not have would fail."""
    with pytest.raises(Exception, match="scoop"):
        test_each_command_is_one_that_the_shell_takes("x.md", "drillbook run reset --target connect -p scoop=images")
