"""`drillbook open`: a working copy of a runbook, in JupyterLab, for this user alone."""

from __future__ import annotations

import json
import secrets
from urllib.parse import quote

from drillbook import home
from drillbook.act import durable
from drillbook.observe.holder import me
from drillbook.run import executed, jupyter, ledger, runbooks
from drillbook.run.filled import filled
from drillbook.run.order import Asked, Order, check
from drillbook.run.record import Record, new_run_folder, settle


def open_runbook(runbook: str, target: str, given: dict[str, str], *, browser: bool) -> int:
    """Open a working copy of *runbook* and serve JupyterLab until it is ended; its exit code.

    Changes: a new run folder, with the copy and a record of mode `lab`.

    Raises:
        BadParameters: as for a run; nothing was made then.
        RunbookError: JupyterLab cannot be started.
    """
    order = check(runbooks.find(runbook), Asked(target, given))
    record = working_copy(order)
    token = secrets.token_urlsafe(24)
    page = quote(str((record.folder / executed.NOTEBOOK).relative_to(home.outputs())))
    print(f"working copy: {record.folder / executed.NOTEBOOK}", flush=True)

    def ready(port: int) -> None:
        print(f"open http://127.0.0.1:{port}/doc/tree/{page}?token={token}")
        print("Ctrl-C here ends it; what was run stays in the working copy", flush=True)

    try:
        return jupyter.serve(record.folder, page, token, ready, browser=browser)
    finally:
        close(record)


def close(record: Record) -> None:
    """End the record of a working copy whose JupyterLab has ended, and enter it in the ledger."""
    left = Record.load(record.folder)
    if left.status == "running" and left.holder == me():
        left.finish("aborted", 1, reason="closed before its first cell")
    settle(record.folder)
    ledger.enter(record.folder)


def working_copy(order: Order) -> Record:
    """A run folder with the runbook, its parameters injected, and a record of mode `lab`."""
    folder = new_run_folder(order.target.name, order.runbook.name)
    notebook = filled(order)
    notebook.setdefault("metadata", {})["drillbook"] = {"run": folder.name}
    durable.replace(folder / executed.NOTEBOOK, json.dumps(notebook, indent=1, ensure_ascii=False).encode() + b"\n")
    return Record.create(folder, order.runbook.name, order.target.name, parameters=order.parameters, mode="lab")
