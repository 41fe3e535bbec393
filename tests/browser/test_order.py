"""Cells that a person runs too early."""

from __future__ import annotations

from collections.abc import Callable

from person import Notebook
from playwright.sync_api import expect


def test_a_cell_run_out_of_order_says_so(opens: Callable[..., Notebook]) -> None:
    """Before the start, and after it, a cell that rests on another names what is missing, and what to do."""
    notebook = opens("diagnose")
    early = notebook.cell("run.observe")
    notebook.select(early)
    notebook.step()
    expect(notebook.output_of(early)).to_contain_text("'run' is not known: a cell above has not run")
    expect(notebook.output_of(early)).to_contain_text("HINT: run the cells in order, from the top")
    notebook.select(0)
    notebook.step_through("drillbook.start")
    later = notebook.cell("run.verify")
    notebook.select(later)
    notebook.step()
    expect(notebook.output_of(later)).to_contain_text("'diagnosis' is not known")
    notebook.shot("order")
    assert "Traceback" not in notebook.text
