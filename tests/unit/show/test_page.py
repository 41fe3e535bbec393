"""Pages: one file, readable by its owner only, with nothing fetched from elsewhere."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import nbformat

from drillbook.show import page
from drillbook.show.view import callout


def test_page_is_one_safe_file(tmp_path: Path) -> None:
    """A page holds what it was given, escapes its title, and is of mode 0600."""
    file = page.write(tmp_path / "p.html", "<b>Incident</b>", [callout("pass", "nothing lost")])
    text = file.read_text()
    assert "&lt;b&gt;Incident&lt;/b&gt;" in text
    assert "nothing lost" in text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_executed_copy_becomes_a_page_of_its_own(tmp_path: Path) -> None:
    """An executed copy can be opened without Jupyter and without a network."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# The site answers 500")])
    nbformat.write(notebook, tmp_path / "notebook.ipynb")
    text = page.notebook_html(tmp_path / "notebook.ipynb").read_text()
    assert "The site answers 500" in text
    fetched = re.findall(r"""<(?:script|link|img)[^>]+(?:src|href)=["'](https?:[^"']+)""", text)
    assert fetched == []
