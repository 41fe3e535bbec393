"""Pages: views in one self-contained HTML file."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from pathlib import Path

from drillbook.show.view import FONT, View

STYLE = (
    f"body{{{FONT};max-width:1100px;margin:24px auto;padding:0 16px;color:#1f2328;background:#fff}}"
    "h1{font-size:22px}@media print{body{margin:0}}"
)


def write(file: Path, title: str, views: Sequence[View]) -> Path:
    """Write *views* under *title* to *file*, mode 0600; nothing in it is fetched from elsewhere."""
    body = "\n".join(view.html for view in views)
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style><h1>{html.escape(title)}</h1>{body}</html>\n"
    )
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write(text)
    return file


def notebook_html(notebook: Path) -> Path:
    """The executed copy beside itself as `notebook.html`: one file, the code shown, mode 0600."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        template_name="lab",
        embed_images=True,
        require_js_url="",
        jquery_url="",
        widget_renderer_url="",
        mathjax_url="",
        mermaid_js_url="",
    )
    text, _ = exporter.from_filename(str(notebook))
    file = notebook.with_suffix(".html")
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write(text)
    return file
