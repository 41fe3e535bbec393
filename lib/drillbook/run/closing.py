"""How a run ends that no runner supervises: stepped through in JupyterLab, or under plain papermill."""

from __future__ import annotations

from pathlib import Path

from drillbook.run.ledger import enter
from drillbook.run.record import Record


def finish(record: Record, folder: Path, complete: bool) -> None:
    """Write the record's end and its line in the ledger; `succeeded` only for a run that is *complete*."""
    error = record.error
    if error:
        record.finish(error["status"], error["exit_code"], reason=error["reason"])
    elif complete:
        record.finish("succeeded", 0)
    else:
        record.finish("aborted", 1, reason="ended before its last section")
    enter(folder)
