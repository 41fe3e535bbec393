"""A runbook with its parameters filled in, as a notebook of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drillbook.act import durable
from drillbook.run import runbooks
from drillbook.run.order import Asked, Order, check

RELATED = re.compile(r"\[[^]]+\]\(\d\d-([a-z]+)\.ipynb\)")


def filled(order: Order) -> dict[str, Any]:
    """The runbook of *order* with its parameters injected, and links that lead somewhere from wherever it lies."""
    notebook: dict[str, Any] = json.loads(order.runbook.path.read_bytes())
    cells = notebook["cells"]
    tagged = [n for n, cell in enumerate(cells) if "parameters" in cell.get("metadata", {}).get("tags", [])]
    cells.insert(tagged[0] + 1 if tagged else 0, _injected(order))
    for cell in cells:
        if cell["cell_type"] == "markdown":
            cell["source"] = _reachable("".join(cell["source"]), order)
    return notebook


def made_ready(runbook: str, target: str, given: Mapping[str, str], folder: Path) -> Path:
    """Write *runbook*, its parameters filled in, to a folder `next` in *folder*; its path below *folder*.

    A folder of its own: a kernel that starts there opens a run of its own.

    Raises:
        BadParameters: a parameter or the target is wrong; nothing was written then.
    """
    order = check(runbooks.find(runbook), Asked(target, given))
    place = folder / "next"
    place.mkdir(mode=0o700, exist_ok=True)
    name = order.runbook.path.name
    durable.replace(place / name, json.dumps(filled(order), indent=1, ensure_ascii=False).encode() + b"\n")
    return Path("next") / name


def _reachable(text: str, order: Order) -> str:
    """*text* with the command that opens a runbook in place of a link that leads nowhere from the copy."""
    target = order.parameters.get("target", order.target.name)
    return RELATED.sub(lambda link: f"`drillbook open {link[1]} --target {target}`", text)


def _injected(order: Order) -> dict[str, Any]:
    """The cell that papermill would inject; importing papermill for it takes a second."""
    values = {
        k: json.dumps(v, ensure_ascii=False) if isinstance(v, str) else repr(v) for k, v in order.parameters.items()
    }
    source = "# Parameters\n" + "".join(f"{name} = {value}\n" for name, value in values.items())
    metadata = {"tags": ["injected-parameters"]}
    cell = {"cell_type": "code", "id": "injected-parameters", "metadata": metadata, "source": source}
    return {**cell, "outputs": [], "execution_count": None}
