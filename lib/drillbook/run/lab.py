"""`drillbook open`: a working copy of a runbook, in JupyterLab, for this user alone."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from drillbook import home
from drillbook.act import durable
from drillbook.run import executed, runbooks
from drillbook.run.order import Asked, Order, check
from drillbook.run.record import Record, new_run_folder


def open_runbook(runbook: str, target: str, given: dict[str, str], *, browser: bool) -> int:
    """Open a working copy of *runbook* and serve JupyterLab until it is ended; its exit code.

    Changes: a new run folder, with the copy and a record of mode `lab`.

    Raises:
        BadParameters: as for a run; nothing was made then.
    """
    order = check(runbooks.find(runbook), Asked(target, given))
    record = working_copy(order)
    port, token = free_port(), secrets.token_urlsafe(24)
    page = quote(str((record.folder / executed.NOTEBOOK).relative_to(home.outputs())))
    print(f"working copy: {record.folder / executed.NOTEBOOK}")
    print(f"open http://127.0.0.1:{port}/lab/tree/{page}?token={token}", flush=True)
    return _serve(argv(port, page, browser=browser), token)


def working_copy(order: Order) -> Record:
    """A run folder with the runbook, its parameters injected, and a record of mode `lab`."""
    folder = new_run_folder(order.target.name, order.runbook.name)
    notebook = json.loads(order.runbook.path.read_bytes())
    injected = _injected(order)
    cells = notebook["cells"]
    tagged = [n for n, cell in enumerate(cells) if "parameters" in cell.get("metadata", {}).get("tags", [])]
    cells.insert(tagged[0] + 1 if tagged else 0, injected)
    notebook.setdefault("metadata", {})["drillbook"] = {"run": folder.name}
    durable.replace(folder / executed.NOTEBOOK, json.dumps(notebook, indent=1, ensure_ascii=False).encode() + b"\n")
    return Record.create(folder, order.runbook.name, order.target.name, parameters=order.parameters, mode="lab")


def argv(port: int, page: str, *, browser: bool) -> list[str]:
    """The command that serves JupyterLab on this host alone, rooted in the folder of the runs."""
    return [
        sys.executable, "-m", "jupyterlab",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={home.outputs()}",
        f"--LabApp.default_url=/lab/tree/{page}",
        *(() if browser else ("--no-browser",)),
        *(("--allow-root",) if os.geteuid() == 0 else ()),
    ]  # fmt: skip


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _injected(order: Order) -> dict[str, Any]:
    """The cell that papermill would inject."""
    from papermill.translators import PythonTranslator

    source = PythonTranslator.codify(order.parameters)
    metadata = {"tags": ["injected-parameters"]}
    cell = {"cell_type": "code", "id": "injected-parameters", "metadata": metadata, "source": source}
    return {**cell, "outputs": [], "execution_count": None}


def _serve(command: list[str], token: str) -> int:
    """Serve until JupyterLab ends; the token travels by environment, so that no `ps` shows it."""
    environment = {
        **{key: value for key, value in os.environ.items() if key not in {"DRILLBOOK_RUN_DIR", "DRILLBOOK_RESUME"}},
        "JUPYTER_TOKEN": token,
        "DRILLBOOK_HOME": str(home.home()),
        "DRILLBOOK_OUTPUTS": str(home.outputs()),
    }
    child = subprocess.Popen(command, env=environment, cwd=Path(home.outputs()))
    try:
        return child.wait()
    except KeyboardInterrupt:
        child.send_signal(signal.SIGTERM)
        return child.wait(timeout=30)
