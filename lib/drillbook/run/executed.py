"""The executed copy of a run: what its cells say of themselves, and the banner of one that did not succeed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from drillbook.act import durable
from drillbook.run.record import Record

TAG = "drillbook-banner"
NOTEBOOK = "notebook.ipynb"


def copy(source: Path, folder: Path) -> None:
    """Lay the runbook *source* into *folder* as the copy of a run that has executed nothing yet."""
    notebook = json.loads(source.read_bytes())
    notebook.setdefault("metadata", {})["drillbook"] = {"run": folder.name}
    _write(notebook, folder)


def unexecuted(folder: Path) -> list[int]:
    """The code cells, by position, that did not run to their end."""
    return [
        number
        for number, cell in enumerate(_read(folder)["cells"])
        if cell["cell_type"] == "code" and _status(cell) != "completed"
    ]


def mend(record: Record) -> None:
    """Make the copy of an ended run truthful: no cell still `running`, and a banner unless it succeeded.

    Changes the copy; does nothing where there is none.
    """
    if not (record.folder / NOTEBOOK).is_file():
        return
    notebook = _read(record.folder)
    cells = [cell for cell in notebook["cells"] if TAG not in _tags(cell) and not _is_papermills_banner(cell)]
    for cell in cells:
        if _status(cell) == "running":
            cell["metadata"]["papermill"]["status"] = "aborted"
    if record.status != "succeeded":
        cells.insert(0, _banner(record, any("papermill-error-cell" in str(cell["source"]) for cell in cells)))
    metadata = notebook.setdefault("metadata", {})
    metadata["drillbook"] = {"run": record.run, "status": record.status, "exit_code": record.exit_code}
    _write({**notebook, "cells": cells, "nbformat_minor": max(notebook.get("nbformat_minor", 5), 5)}, record.folder)


def _banner(record: Record, anchored: bool) -> dict[str, Any]:
    error = record.error or {}
    lines = [f"**This run {_ended(record)}.** {error.get('fact', '')}".rstrip()]
    if error.get("hint"):
        lines.append(f"HINT: {error['hint']}")
    if record.step:
        lines.append(f"Last step: {record.step}." + (" [Go to it](#papermill-error-cell)." if anchored else ""))
    quoted = "\n".join(f"> {line}".rstrip() for line in "\n\n".join(lines).splitlines())
    return {"cell_type": "markdown", "id": TAG, "metadata": {"tags": [TAG]}, "source": quoted + "\n"}


def _ended(record: Record) -> str:
    verb = {"failed": "failed", "refused": "was refused", "aborted": "was aborted"}.get(record.status, "has not ended")
    code = "" if record.exit_code is None else f", exit code {record.exit_code}"
    return f"{verb} ({record.reason}{code})" if record.reason else f"{verb}{code}"


def _tags(cell: dict[str, Any]) -> list[str]:
    return list(cell.get("metadata", {}).get("tags", []))


def _is_papermills_banner(cell: dict[str, Any]) -> bool:
    return "papermill-error-cell-tag" in _tags(cell) and "An Exception was encountered at" in str(cell["source"])


def _status(cell: dict[str, Any]) -> str:
    return str(cell.get("metadata", {}).get("papermill", {}).get("status", "pending"))


def _read(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / NOTEBOOK).read_bytes())
    return found


def _write(notebook: dict[str, Any], folder: Path) -> None:
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    durable.replace(folder / NOTEBOOK, text.encode())
