"""`drillbook run` with the notebook's cells carried out in this very process: three processes less for each run.

For tests whose subject is what a run does. What the shell, its processes and their signals do is told by tests that
start them: test_endings.py, tests/notebooks.
"""

from __future__ import annotations

import atexit
import json
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from shell import Ended

from drillbook.run import runner, stopped
from drillbook.run.supervise import Ending


def run(runbook: str, target: str, *words: str) -> Ended:
    """What `drillbook run RUNBOOK --target TARGET WORDS` gives: the same checks, record, copy and ledger."""
    given, more = dict[str, str](), dict[str, str]()
    for flag, value in zip(words[::2], words[1::2], strict=True):
        if flag == "-p":
            given |= [value.split("=", 1)]
        else:
            more[flag.removeprefix("--")] = value
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "follow", _follow)
        record = runner.run_runbook(runbook, target, given, quiet=True, **more)
    assert record.exit_code is not None
    error = record.error or {}
    hint = f"\nHINT: {error['hint']}" if error.get("hint") else ""
    return Ended(record.exit_code, record.data, f"{error.get('fact', '')}{hint}")


def _follow(job: dict[str, Any], _redactor: Any, resume: str, _say: Callable[[str], None]) -> Ending:
    """Carry out the job's cells in their order, and leave the copy that papermill would leave."""
    folder, ending = Path(job["folder"]), Ending(how="done")
    notebook = nbformat.read(job["notebook"], 4)
    with _kernel(folder, resume) as remembers:
        names: dict[str, Any] = {"__name__": "__main__"}
        for cell in notebook.cells:
            heading = [line for line in cell.source.splitlines() if line.startswith("#")]
            if cell.cell_type != "code":
                ending.section = heading[0].lstrip("# ") if heading else ending.section
                continue
            try:
                exec(compile(cell.source, str(folder), "exec"), names)
            except Exception as error:
                for remember in remembers[-1:]:
                    remember(error)
                ending.how, ending.ename, ending.evalue = "error", type(error).__name__, str(error)
                cell.metadata["papermill"] = {"status": "failed", "exception": True}
                break
            cell.metadata["papermill"] = {"status": "completed", "exception": False}
            if "parameters" in cell.metadata.get("tags", ()):
                names |= job["parameters"]
    (folder / "notebook.ipynb").write_text(json.dumps(notebook))
    return ending


@contextmanager
def _kernel(folder: Path, resume: str) -> Iterator[list[Callable[[BaseException], None]]]:
    """A kernel's folder and environment; gives what hears of a cell's error. What a kernel does as it ends is done."""
    ends: list[Callable[[], object]] = []
    remembers: list[Callable[[BaseException], None]] = []
    with pytest.MonkeyPatch.context() as patch, chdir(folder):
        patch.setenv("DRILLBOOK_RUN_DIR", str(folder))
        patch.setenv("DRILLBOOK_RESUME", resume) if resume else patch.delenv("DRILLBOOK_RESUME", raising=False)
        patch.setattr(stopped, "install", remembers.append)
        patch.setattr(atexit, "register", ends.append)
        patch.setattr(atexit, "unregister", lambda function: ends.remove(function) if function in ends else None)
        try:
            yield remembers
        finally:
            for end in reversed([*ends]):
                end()
