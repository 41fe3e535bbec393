"""Every runbook has the one shape: sections in order, small cells, words before code, nothing executed."""

from __future__ import annotations

import ast
import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import nbformat
import pytest

RUNBOOKS = Path(__file__).resolve().parents[2] / "runbooks"
FILES = sorted(RUNBOOKS.glob("*.ipynb"))

TELLING = ("Timeline", "Impact and evidence", "Page")
ORDER = (
    "Parameters", "Start", "Observe", *TELLING, "Confirm this is the incident",
    "Plan", "Approve", "Act", "Verify", "If it fails", "Related",
)  # fmt: skip
ALWAYS = ("Parameters", "Start", "Observe", "If it fails", "Related")
WITHOUT_CODE = ("If it fails", "Related")
PARTS = ("*Why*", "*Expect*", "*If it fails*")
FORBIDDEN_CODE = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.Try,
    ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip
SYNONYMS = (
    "playbook", "procedure", "nuclear", "dry run", "dry-run", "test restore", "restore test", "fire drill",
    "confirmation", "passcode", "execution", "sanity",
)  # fmt: skip

Notebook = dict[str, Any]


def problems(notebook: Notebook, name: str) -> list[str]:
    """Everything in which *notebook* is not of the one shape; empty when it is."""
    rules = (title, sections, whys, code_cells, parameters, untouched, links, words)
    return [f"{name}: {said}" for rule in rules for said in rule(notebook, name)]


def text(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def of_kind(notebook: Notebook, kind: str) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def headings(notebook: Notebook) -> list[str]:
    lines = [line for cell in of_kind(notebook, "markdown") for line in text(cell).splitlines()]
    return [line[3:].strip() for line in lines if line.startswith("## ")]


def title(notebook: Notebook, name: str) -> Iterator[str]:
    """The first line is the one title, and it says what a person sees, not what the runbook is called."""
    first = text(notebook["cells"][0]).splitlines()[0]
    if not first.startswith("# "):
        yield "the first line is no title"
    said = first.removeprefix("# ").lower().split()
    if len(said) < 4 or said[0].rstrip(":") == name.partition("-")[2].removesuffix(".ipynb"):
        yield "the title does not say what a person sees"
    if sum(line.startswith("# ") for cell in of_kind(notebook, "markdown") for line in text(cell).splitlines()) != 1:
        yield "there is more than one title"


def sections(notebook: Notebook, name: str) -> Iterator[str]:
    """The sections are those of the one shape, in its order, each once."""
    found = headings(notebook)
    unknown = [head for head in found if head not in ORDER or (head in TELLING and "postmortem" not in name)]
    if unknown:
        yield f"section {unknown[0]!r} is not one of the shape"
        return
    if found != sorted(set(found), key=ORDER.index):
        yield "the sections are not in order"
    yield from (f"section {head!r} is missing" for head in ALWAYS if head not in found)
    if "Verify" not in found and "Page" not in found:
        yield "there is no Verify"
    if "Act" in found and "Plan" not in found:
        yield "it acts without a plan"
    if "approval" in text(of_kind(notebook, "code")[0]) and "Approve" not in found:
        yield "it takes an approval and has no Approve"


def whys(notebook: Notebook, name: str) -> Iterator[str]:
    """Each code cell follows a short markdown cell with Why, Expect and If it fails."""
    before: dict[str, Any] = {"cell_type": "code", "source": ""}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            said = text(before)
            if before["cell_type"] != "markdown" or not re.match(r"##+ ", said):
                yield "a code cell follows no section"
            elif not all(part in said for part in PARTS) or sorted(PARTS, key=said.find) != list(PARTS):
                yield f"{said.splitlines()[0]} lacks Why, Expect or If it fails, in this order"
            elif len(said.split()) > 60:
                yield f"{said.splitlines()[0]} has more than 60 words"
        elif before["cell_type"] == "markdown" and text(before)[3:] in ORDER:
            yield "a section is empty"
        before = cell
    for cell in of_kind(notebook, "markdown"):
        if text(cell).partition("\n")[0][3:] in WITHOUT_CODE and len(text(cell).split()) < 3:
            yield "a section is empty"


def code_cells(notebook: Notebook, name: str) -> Iterator[str]:
    """Code is one call a cell, one to ten lines, half of them at most six; no logic, no shell."""
    sizes = []
    for number, cell in enumerate(of_kind(notebook, "code")):
        sizes.append(len(text(cell).splitlines()))
        if not 1 <= sizes[-1] <= 10:
            yield f"a code cell has {sizes[-1]} lines"
        if re.search(r"^\s*[!%?]|get_ipython|\binstall\b", text(cell), re.MULTILINE):
            yield "a shell escape, a magic or an install"
            continue
        tree = ast.parse(text(cell))
        if any(isinstance(node, FORBIDDEN_CODE) for node in ast.walk(tree)):
            yield "a code cell holds logic: def, loop or try"
        if number and sum(isinstance(node, ast.Call) for node in ast.walk(tree)) != 1:
            yield "a code cell is not one call"
    if median(sizes) > 6:
        yield "half of the code cells have more than six lines"


def parameters(notebook: Notebook, name: str) -> Iterator[str]:
    """The first code cell, and no other, is tagged; it holds annotated defaults, each with a comment."""
    tagged = [n for n, c in enumerate(of_kind(notebook, "code")) if "parameters" in c["metadata"].get("tags", [])]
    if tagged != [0]:
        yield "the first code cell is not the one tagged parameters"
        return
    source = text(of_kind(notebook, "code")[0])
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom | ast.Import):
            continue
        if not isinstance(node, ast.AnnAssign) or node.value is None:
            yield "a parameter has no type or no default"
        elif "  # " not in "\n".join(source.splitlines()[node.lineno - 1 : node.end_lineno]):
            yield "a parameter has no comment"


def untouched(notebook: Notebook, name: str) -> Iterator[str]:
    """It is a valid notebook that was never executed, with nothing of one machine in it."""
    try:
        nbformat.validate(nbformat.from_dict(notebook))
    except nbformat.ValidationError as error:
        yield f"not valid: {str(error).splitlines()[0]}"
    if any(cell["outputs"] or cell["execution_count"] is not None for cell in of_kind(notebook, "code")):
        yield "it holds outputs or execution counts"
    if set(notebook["metadata"]) - {"kernelspec", "language_info"} or "papermill" in json.dumps(notebook["metadata"]):
        yield "its metadata holds traces of a run"


def links(notebook: Notebook, name: str) -> Iterator[str]:
    """Every link leads to a file that is there, and Related has some."""
    said = "\n".join(text(cell) for cell in of_kind(notebook, "markdown"))
    found = re.findall(r"\]\(([^)#]+)", said)
    yield from (f"the link {link} leads nowhere" for link in found if not (RUNBOOKS / link).exists())
    if not re.search(r"\]\([^)]+\.ipynb\)", said.partition("## Related")[2]):
        yield "Related leads to no runbook"


def words(notebook: Notebook, name: str) -> Iterator[str]:
    """The house's words are used, and none of their synonyms."""
    said = "\n".join(text(cell) for cell in notebook["cells"]).lower()
    yield from (f"the word {word!r} has a name of its own here" for word in SYNONYMS if re.search(rf"\b{word}\b", said))


def load(file: Path) -> Notebook:
    return json.loads(file.read_text())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_runbook_has_the_one_shape(file: Path) -> None:
    """A person who knows one runbook finds the way in every other."""
    assert problems(load(file), file.name) == []


def test_there_is_a_runbook_for_each_part_of_the_night() -> None:
    """Diagnose, backup, reset, restore, verify, drill and postmortem are there under their numbers."""
    wanted = {"01-diagnose", "02-backup", "03-reset", "04-restore", "05-verify", "06-drill", "10-postmortem"}
    assert wanted <= {file.stem for file in FILES}


def test_runbooks_that_destroy_ask_for_an_approval() -> None:
    """Reset and restore have an Approve, between Plan and Act."""
    for name in ("03-reset", "04-restore"):
        found = headings(load(RUNBOOKS / f"{name}.ipynb"))
        assert found.index("Plan") < found.index("Approve") < found.index("Act")


def section(notebook: Notebook, head: str) -> int:
    return next(n for n, cell in enumerate(notebook["cells"]) if text(cell).startswith(f"## {head}"))


def says(head: str, old: str, new: str) -> Callable[[Notebook], None]:
    """A change of words in the markdown of a section (or of the title, for an empty *head*)."""

    def change(notebook: Notebook) -> None:
        cell = notebook["cells"][section(notebook, head) if head else 0]
        assert old in text(cell)
        cell["source"] = text(cell).replace(old, new, 1)

    return change


def codes(head: str, source: str) -> Callable[[Notebook], None]:
    """Another code cell in a section."""

    def change(notebook: Notebook) -> None:
        notebook["cells"][section(notebook, head) + 1]["source"] = source

    return change


def sets(head: str, key: str, value: Any) -> Callable[[Notebook], None]:
    """Another value in the code cell of a section."""

    def change(notebook: Notebook) -> None:
        notebook["cells"][section(notebook, head) + 1][key] = value

    return change


def drops(head: str, cells: int) -> Callable[[Notebook], None]:
    """A section that is gone."""

    def change(notebook: Notebook) -> None:
        start = section(notebook, head)
        del notebook["cells"][start : start + cells]

    return change


def swaps(one: str, other: str) -> Callable[[Notebook], None]:
    """Two sections in each other's place."""

    def change(notebook: Notebook) -> None:
        a, b = section(notebook, one), section(notebook, other)
        cells = notebook["cells"]
        cells[a : a + 2], cells[b : b + 2] = cells[b : b + 2], cells[a : a + 2]

    return change


def marks(notebook: Notebook) -> None:
    notebook["metadata"]["papermill"] = {"start_time": "2025-10-13"}


def misses_a_source(notebook: Notebook) -> None:
    del notebook["cells"][0]["metadata"]


BROKEN: list[tuple[Callable[[Notebook], None], str]] = [
    (says("", "# ", ""), "no title"),
    (says("", "# Rebuilds change nothing: the old code keeps coming back", "# Reset"), "what a person sees"),
    (says("Observe", "*Why*", "# Second title\n\n*Why*"), "more than one title"),
    (says("Observe", "## Observe", "## Look around"), "not one of the shape"),
    (says("Observe", "## Observe", "## Timeline"), "not one of the shape"),
    (swaps("Plan", "Approve"), "not in order"),
    (drops("Start", 2), "'Start' is missing"),
    (drops("Related", 1), "'Related' is missing"),
    (drops("Verify", 2), "no Verify"),
    (drops("Plan", 2), "without a plan"),
    (drops("Approve", 2), "has no Approve"),
    (drops("Act", 1), "follows no section"),
    (says("Act", "*Expect*", "Then"), "lacks Why, Expect or If it fails"),
    (says("Act", "*Why*", "*Why*: " + "word " * 60), "more than 60 words"),
    (codes("Act", "run.act(plan)\n" * 11), "has 11 lines"),
    (codes("Act", "!docker compose up"), "a shell escape"),
    (codes("Act", "%time run.act(plan)"), "a shell escape"),
    (codes("Act", "pip.install('x')"), "an install"),
    (codes("Act", "for x in plan.steps:\n    run.act(x)"), "holds logic"),
    (codes("Act", "try:\n    run.act(plan)\nexcept Exception:\n    pass"), "holds logic"),
    (codes("Act", "def act():\n    run.act(plan)"), "holds logic"),
    (codes("Act", "run.act(run.plan(scope))"), "not one call"),
    (sets("Parameters", "metadata", {}), "not the one tagged"),
    (sets("Act", "metadata", {"tags": ["parameters"]}), "not the one tagged"),
    (codes("Parameters", "target = 'connect'  # a target"), "no type or no default"),
    (codes("Parameters", "target: str = 'connect'"), "no comment"),
    (sets("Act", "execution_count", 3), "outputs or execution counts"),
    (sets("Act", "outputs", [{"output_type": "stream", "name": "stdout", "text": "x"}]), "outputs or execution counts"),
    (misses_a_source, "not valid"),
    (marks, "traces of a run"),
    (says("Related", "](01-diagnose.ipynb)", "](01-diagnosis.ipynb)"), "leads nowhere"),
    (says("Act", "*Why*", "*Why*: the playbook says so"), "'playbook' has a name"),
]


@pytest.mark.parametrize(("damage", "said"), BROKEN, ids=lambda value: value if isinstance(value, str) else "")
def test_a_broken_copy_is_caught(damage: Callable[[Notebook], None], said: str) -> None:
    """Each rule finds the notebook that breaks it, so that the shape cannot slip."""
    notebook = copy.deepcopy(load(RUNBOOKS / "03-reset.ipynb"))
    damage(notebook)
    assert any(said in found for found in problems(notebook, "03-reset.ipynb"))


def test_long_cells_are_caught_by_their_median() -> None:
    """A runbook whose cells are all near ten lines is caught, although each is allowed alone."""
    notebook = load(RUNBOOKS / "03-reset.ipynb")
    for cell in of_kind(notebook, "code")[1:]:
        cell["source"] = text(cell) + "\n# more" * 7
    assert any("more than six lines" in found for found in problems(notebook, "03-reset.ipynb"))
