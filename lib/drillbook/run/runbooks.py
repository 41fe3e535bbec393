"""The runbooks: found by name, described by what they say of themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drillbook import home
from drillbook.errors import BadParameters, RunbookError
from drillbook.run.declared import Parameter, parameters
from drillbook.suggest import nearest

_NAME = re.compile(r"(?P<number>[0-9]{2})-(?P<name>[a-z0-9-]+)")


@dataclass(frozen=True)
class Runbook:
    """A runbook as it describes itself; `title` is what the person sees."""

    path: Path
    title: str
    summary: str
    parameters: tuple[Parameter, ...]

    @property
    def name(self) -> str:
        """`reset` of `03-reset.ipynb`."""
        match = _NAME.fullmatch(self.path.stem)
        return match["name"] if match else self.path.stem

    def declares(self, name: str) -> bool:
        return any(parameter.name == name for parameter in self.parameters)


def every() -> list[Runbook]:
    """All runbooks, in the order of an incident."""
    return [read(path) for path in _paths()]


def find(name: str) -> Runbook:
    """The runbook *name*: `reset`, `03-reset`, `03-reset.ipynb`, or a path to a file in the runbooks' folder.

    Changes nothing.

    Raises:
        BadParameters: there is none, or it is an executed copy, or lies elsewhere.
    """
    given = Path(name)
    if given.is_file() and (given.suffix == ".ipynb" or len(given.parts) > 1):
        return _own(given.resolve())
    wanted = given.name.removesuffix(".ipynb")
    for path in _paths():
        if len(given.parts) == 1 and wanted in (path.stem, path.stem[3:]):
            return read(path)
    names = [path.stem[3:] for path in _paths()]
    hint = f"{nearest(wanted.lstrip('0123456789-'), names)}the runbooks are: {', '.join(names) or 'none'}"
    raise BadParameters(f"there is no runbook {name!r} in {home.runbooks()}", hint)


def read(path: Path) -> Runbook:
    """The runbook in the file *path*.

    Raises:
        BadParameters: it is an executed copy.
        RunbookError: it is not a notebook, or its parameters cannot be read.
    """
    try:
        notebook = json.loads(path.read_bytes())
        cells = notebook["cells"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunbookError(f"{path} is not a notebook: {error}", "restore it from the repository") from error
    if _was_executed(notebook):
        raise BadParameters(f"{path.name} is an executed copy, not a runbook", "give the runbook's name instead")
    title, summary = _says(_text(cell) for cell in cells if cell["cell_type"] == "markdown")
    tagged = [_text(cell) for cell in cells if "parameters" in cell.get("metadata", {}).get("tags", [])]
    return Runbook(path, title, summary, parameters(tagged[0], path.name) if tagged else ())


def _own(path: Path) -> Runbook:
    if path.parent != home.runbooks():
        raise BadParameters(
            f"{path} does not lie in {home.runbooks()}",
            "only runbooks are run; an executed copy is a record: give the runbook's name instead",
        )
    return read(path)


def _paths() -> list[Path]:
    return sorted(path for path in home.runbooks().glob("*.ipynb") if _NAME.fullmatch(path.stem))


def _was_executed(notebook: dict[str, Any]) -> bool:
    metadata = notebook.get("metadata", {})
    tags = [tag for cell in notebook["cells"] for tag in cell.get("metadata", {}).get("tags", [])]
    marked = metadata.get("papermill", {}).get("start_time") or metadata.get("drillbook", {}).get("run")
    return bool(marked) or "injected-parameters" in tags


def _text(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def _says(texts: Iterable[str]) -> tuple[str, str]:
    """The first heading, and the first paragraph after it."""
    lines = "\n\n".join(texts).splitlines()
    start = next((number for number, line in enumerate(lines) if line.startswith("# ")), None)
    if start is None:
        return "", ""
    rest = "\n".join(lines[start + 1 :]).strip()
    paragraph = rest.split("\n\n")[0].replace("\n", " ") if rest else ""
    return lines[start][2:].strip(), "" if paragraph.startswith("#") else paragraph
