"""Rows of every table beside the last backup's, losses first."""

from __future__ import annotations

import html
from collections.abc import Sequence

from drillbook.decide.rows import TableRows
from drillbook.show.view import COLOURS, FONT, View, callout, folded

KINDS = {"lost": "fail", "fewer": "warn", "unread": "unknown"}
SIGNS = {
    "lost": "✗ lost",
    "fewer": "▼ fewer",
    "unread": "? not read",
    "new": "+ new",
    "more": "▲ more",
    "same": "✓ same",
}
WIDE = 120


def rows(items: Sequence[TableRows]) -> View:
    """A headline, the tables that lost rows with a bar of what is left, and the rest behind a click."""
    if not items:
        return View("", "")
    worth = [item for item in items if item.change in KINDS]
    quiet = [item for item in items if item.change not in KINDS]
    head = _headline(items)
    view = head + _table(worth) if worth else head
    return view + folded(f"{len(quiet)} further tables", _table(quiet)) if quiet else view


def _headline(items: Sequence[TableRows]) -> View:
    backup = next((item.backup for item in items if item.backup), "")
    if not backup:
        return callout(
            "note", f"{sum(i.now or 0 for i in items):,} rows in {len(items)} tables; no backup to hold them against"
        )
    lost = [item for item in items if item.change == "lost"]
    fewer = [item for item in items if item.change == "fewer"]
    had = sum(1 for item in items if item.before)
    if lost:
        gone = sum((item.before or 0) - (item.now or 0) for item in lost)
        return callout("fail", f"{len(lost)} of {had} tables lost all their rows since {backup}: {gone:,} rows")
    if fewer:
        return callout("warn", f"no table is empty that had rows in {backup}; {len(fewer)} have less than half of them")
    return callout("pass", f"no table lost its rows since {backup}")


def _table(items: Sequence[TableRows]) -> View:
    cells = "".join(_row(item) for item in items)
    head = "".join(
        f'<th style="text-align:left;padding:2px 14px 2px 0">{name}</th>'
        for name in ("table", "backup", "now", "", "change")
    )
    page = f'<table style="border-collapse:collapse;{FONT}"><tr>{head}</tr>{cells}</table>'
    lines = [f"{i.database}/{i.table}: {_number(i.before)} → {_number(i.now)}  {SIGNS[i.change]}" for i in items]
    return View(page, "\n".join(lines))


def _row(item: TableRows) -> str:
    colour = COLOURS[KINDS.get(item.change, "pass")]
    share = min((item.now or 0) / item.before, 1.0) if item.before else 1.0
    bar = (
        f'<div style="background:#e5e7eb;width:{WIDE}px;height:10px;border-radius:2px">'
        f'<div style="background:{colour};width:{round(WIDE * share)}px;height:10px;border-radius:2px"></div></div>'
    )
    about = "≈ " if item.estimated else ""
    cells = (
        html.escape(f"{item.database}/{item.table}"), _number(item.before), about + _number(item.now), bar,
        f'<b style="color:{colour};white-space:nowrap">{SIGNS[item.change]}</b>',
    )  # fmt: skip
    return (
        "<tr>" + "".join(f'<td style="padding:2px 14px 2px 0;text-align:left">{cell}</td>' for cell in cells) + "</tr>"
    )


def _number(rows: int | None) -> str:
    return "–" if rows is None else f"{rows:,}"
