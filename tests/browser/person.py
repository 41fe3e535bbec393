"""A runbook in JupyterLab, as a person has it before them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Locator, Page, expect

from drillbook.run.supervise import python_path

HOUSE = Path(__file__).resolve().parents[2]
OPEN_SECONDS = 120
CELL_SECONDS = 180.0
BUSY = "[*]:"
WIDTH, HEIGHT = 1280, 800


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab; `address` is what `drillbook open` printed."""

    root: str
    token: str
    address: str

    def page_of(self, copy: Path, outputs: Path) -> str:
        """The address at which the working copy *copy* is opened, with nothing beside it that was open before."""
        return f"{self.root}/doc/workspaces/{copy.parent.name}/tree/{copy.relative_to(outputs)}?token={self.token}"

    def end_kernels(self) -> None:
        """Shut every kernel down, as the menu does."""
        with httpx.Client(base_url=self.root, headers={"Authorization": f"token {self.token}"}, timeout=30) as client:
            for session in client.get("/api/sessions").json():
                client.delete(f"/api/sessions/{session['id']}")


def _environment(outputs: Path) -> dict[str, str]:
    """Jupyter is not configured, and there is a kernelspec of the right name that starts nothing."""
    places = {f"JUPYTER_{kind.upper()}_DIR": str(outputs.with_name(kind)) for kind in ("config", "data")}
    stray = outputs.with_name("data") / "kernels" / "python3"
    stray.mkdir(parents=True, exist_ok=True)
    (stray / "kernel.json").write_text('{"argv": ["false"], "display_name": "stray", "language": "python"}')
    ours = {"DRILLBOOK_HOME": str(HOUSE), "DRILLBOOK_OUTPUTS": str(outputs), "PYTHONPATH": python_path()}
    return {**os.environ, **ours, **places}


@contextmanager
def opened(runbook: str, target: str, outputs: Path) -> Iterator[tuple[subprocess.Popen[str], Lab, Path]]:
    """`drillbook open`, once its address is printed: the process, the server, the working copy."""
    argv = [sys.executable, "-m", "drillbook.cli", "open", runbook, "--target", target, "--no-browser"]
    process = subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=HOUSE, env=_environment(outputs)
    )
    assert process.stdout is not None
    try:
        copy, address = "", ""
        for line in process.stdout:
            copy = copy or "".join(re.findall(r"^working copy: (.+)$", line.strip()))
            address = "".join(re.findall(r"^open (\S+)$", line.strip()))
            if address:
                break
        assert address, f"drillbook open ended with {process.wait()} before it printed an address"
        parts = urlsplit(address)
        yield process, Lab(f"http://{parts.netloc}", parts.query.removeprefix("token="), address), Path(copy)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=OPEN_SECONDS)


@dataclass
class Notebook:
    """An open working copy. Cells count from 0; the first selected cell is the title."""

    page: Page
    folder: Path
    screens: Path
    next_cell: int = field(default=0)

    def open(self, address: str) -> None:
        """Load the page until its kernel is idle; as a person does, again when it hangs on a busy machine."""
        for left in (2, 1, 0):
            self.page.goto(address)
            try:
                expect(self.cells.first).to_be_visible(timeout=60_000)
                expect(self.page.locator("#jp-bottom-panel")).to_contain_text("| Idle", timeout=40_000)
                break
            except AssertionError:
                if not left:
                    raise
        self.select(0)

    @property
    def cells(self) -> Locator:
        return self.page.locator(".jp-Notebook .jp-Cell")

    def cell(self, source: str) -> int:
        """The number of the first code cell whose source contains *source*."""
        cells = json.loads((self.folder / "notebook.ipynb").read_text())["cells"]
        told = ["".join(cell["source"]) if cell["cell_type"] == "code" else "" for cell in cells]
        return next(number for number, text in enumerate(told) if source in text)

    def select(self, number: int) -> None:
        """Click into the margin of cell *number*: it is selected, but not edited."""
        self.cells.nth(number).locator(".jp-InputPrompt").first.click()
        self.next_cell = number

    def step(self, times: int = 1) -> None:
        """Run the next cells with Shift+Enter, each to its end."""
        for _ in range(times):
            self.page.keyboard.press("Shift+Enter")
            self.next_cell += 1
            self.wait()

    def step_through(self, source: str) -> Locator:
        """Go on until the code cell that contains *source* has run; what came out of it."""
        number = self.cell(source)
        self.step(number + 1 - self.next_cell)
        return self.output_of(number)

    def run_all(self) -> None:
        """What a tired person finds in the menu."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        self.wait()

    def output_of(self, number: int) -> Locator:
        return self.cells.nth(number).locator(".jp-Cell-outputArea")

    def wait(self) -> None:
        """Until no cell waits or runs."""
        deadline = time.monotonic() + CELL_SECONDS
        self.page.wait_for_timeout(80)
        while self._prompts().count(BUSY):
            assert time.monotonic() < deadline, "a cell runs for too long"
            self.page.wait_for_timeout(100)

    def _prompts(self) -> list[str]:
        return [text.strip() for text in self.page.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()]

    @property
    def text(self) -> str:
        """All that the outputs say, folded parts left out."""
        with self._unrolled():
            return "\n".join(self.page.locator(".jp-Notebook .jp-Cell-outputArea").all_inner_texts())

    def shot(self, name: str) -> None:
        """Keep a picture of the whole notebook for people to look at."""
        with self._unrolled():
            self.page.screenshot(path=self.screens / f"{name}.png")

    @contextmanager
    def _unrolled(self) -> Iterator[None]:
        """The window as tall as the notebook, so that all of it is drawn."""
        panel = self.page.locator(".jp-WindowedPanel-outer").first
        for _ in range(2):  # what was never drawn has no height of its own yet
            height = panel.evaluate(
                "panel => (panel.scrollTop = 0, panel.querySelector('.jp-WindowedPanel-inner').scrollHeight)"
            )
            self.page.set_viewport_size({"width": WIDTH, "height": min(9000, max(HEIGHT, height + 200))})
            self.page.wait_for_timeout(150)
        yield
        self.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
