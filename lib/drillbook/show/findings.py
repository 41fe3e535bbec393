"""The traps in Dockerfiles and ignore files, each with the lines that mend it."""

from __future__ import annotations

from collections.abc import Sequence

from drillbook.decide.dockerfile import Finding
from drillbook.show.view import View, callout, table

TITLE = "Dockerfiles and ignore files"
MENDED = "mended lines"


def findings(items: Sequence[Finding]) -> View:
    """One table: how grave, which rule, where and why, and below each the lines to put there. Decides nothing."""
    if not items:
        return callout("pass", "the Dockerfiles have no trap that we know")
    rows: list[dict[str, object]] = [
        {
            "severity": item.severity, "rule": item.rule, "service": item.service,
            "file:line": item.place, "says": item.says, MENDED: _mended(item),
        }
        for item in items
    ]  # fmt: skip
    page = table(TITLE, rows, mono=("file:line",), below=MENDED)
    return View(page.html, "\n".join([TITLE, *map(_told, items)]))  # a log's cells are too narrow for lines to copy


def _mended(item: Finding) -> str:
    if not item.mended:
        return ""
    if not item.end:
        where = f"after line {item.line}" if item.line else "as the first lines"
    else:
        where = f"for line {item.line}" if item.end == item.line else f"for lines {item.line} to {item.end}"
    return "\n".join([f"{where}:", *item.mended])


def _told(item: Finding) -> str:
    mended = "".join(f"\n    {line}" for line in _mended(item).splitlines())
    return f"{item.severity}  {item.rule}  {item.service}  {item.place}\n  {item.says}{mended}"
