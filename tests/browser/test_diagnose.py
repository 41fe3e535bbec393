"""Stepping through 01-diagnose as a person does."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

from person import Notebook, opened
from playwright.sync_api import BrowserContext, expect

from drillbook.run import ledger
from drillbook.run.record import Record

SYMPTOM = "The site answers 500, or serves old code after a rebuild"
SAVED_SECONDS = 45
GREEN = "rgb(26, 127, 55)"


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] not in "ZX"


def test_stepping_through_a_diagnosis(
    target: str, has_engine: bool, desk: Path, screens: Path, context: BrowserContext
) -> None:
    """Title, freshness in colours and words, evidence, next step; then the record of a run that succeeded."""
    with opened("diagnose", target, desk) as (process, lab, copy):
        notebook = Notebook(context.new_page(), copy.parent, screens)
        notebook.open(lab.address)
        notebook.shot("diagnose-1-opened")
        expect(notebook.page.get_by_role("heading", name=SYMPTOM)).to_be_visible()
        assert "news" not in notebook.page.inner_text("body").lower()

        expect(notebook.step_through("drillbook.start")).to_contain_text(str(copy.parent))
        seen = notebook.step_through("run.observe")
        expect(seen).to_contain_text("Databases")
        found = notebook.step_through("run.diagnose")
        if has_engine:
            field = found.get_by_role("cell", name="✓ pass").first
            expect(field).to_be_visible()
            assert field.evaluate("field => getComputedStyle(field).backgroundColor") == GREEN
            for word in ("source", "context", "image", "container", "process", "response", "app1", "app2"):
                expect(found).to_contain_text(word)
        told = notebook.step_through("run.verify")
        expect(told).to_contain_text("Evidence")
        expect(told).to_contain_text("Next")
        notebook.shot("diagnose-2-verified")
        assert "Traceback" not in notebook.page.inner_text("body")

        kernel = Record.load(copy.parent).pid_kernel
        assert kernel is not None and alive(kernel)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0

    assert not alive(kernel)
    record = Record.load(copy.parent)
    assert (record.mode, record.status, record.error) == ("lab", "succeeded", None)
    assert record.result is not None and record.result["verdict"]
    assert record.run in ledger.file().read_text()


def test_the_working_copy_keeps_what_was_seen(opens: Callable[..., Notebook]) -> None:
    """Nobody has to think of saving: JupyterLab does so within seconds."""
    notebook = opens("diagnose")
    notebook.step_through("drillbook.start")
    copy = notebook.folder / "notebook.ipynb"
    deadline = time.monotonic() + SAVED_SECONDS
    while str(notebook.folder) not in copy.read_text() and time.monotonic() < deadline:
        notebook.page.wait_for_timeout(500)
    assert str(notebook.folder) in copy.read_text()
