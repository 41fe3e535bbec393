"""Rows of every table beside the last backup's, losses first."""

from __future__ import annotations

import html
from collections.abc import Sequence

from drillbook.decide.rows import TableRows
from drillbook.show.view import COLOURS, FONT, View, callout, folded

KINDS = {
    "lost": ("fail", "✗ lost"), "fewer": ("warn", "▼ fewer"), "unread": ("unknown", "? not read"),
    "less": ("note", "▽ less"), "new": ("note", "+ new"), "more": ("pass", "▲ more"), "same": ("pass", "✓ kept"),
}  # fmt: skip
"""change → the colour's name, and the sign and word that say the same."""
LOSSES = ("lost", "fewer", "unread")
WIDE = 140
"""A whole bar, in pixels: all rows that the backup holds."""
LEFT, RIGHT = "left", "right"
COLUMNS = (("table", LEFT), ("in the backup", RIGHT), ("now", RIGHT), ("left of it", LEFT), ("", LEFT))


def rows(items: Sequence[TableRows]) -> View:
    """A headline, the tables that lost rows with a bar of what is left, and the rest behind a click."""
    if not items:
        return View("", "")
    losses = [item for item in items if item.change in LOSSES]
    kept = [item for item in items if item.change not in LOSSES]
    view = _headline(items) + _table(losses) if losses else _headline(items)
    summary = f"{len(kept)} {'other ' if losses else ''}table{'s' if len(kept) != 1 else ''}"
    return view + folded(summary, _table(kept)) if kept else view


def _headline(items: Sequence[TableRows]) -> View:
    against = {item.database: item for item in items if item.backup}
    if not against:
        total = f"{sum(i.now or 0 for i in items):,} rows in {len(items)} tables"
        return callout("note", f"{total}; there is no backup to hold them against")
    since = " and ".join(sorted({f"backup {i.backup}, {_ago(i.age_seconds)}" for i in against.values()}))
    lost = [item for item in items if item.change == "lost"]
    fewer = sum(1 for item in items if item.change == "fewer")
    had, gone = sum(1 for item in items if item.before), sum(item.before or 0 for item in lost)
    halved = f"{fewer} {'has' if fewer == 1 else 'have'} less than half of theirs" if fewer else ""
    if lost:
        whole = f"{len(lost)} of {had} tables lost all rows since {since}"
        return callout(
            "fail" if 2 * len(lost) > had else "warn",
            whole,
            f"{gone:,} rows are gone" + (f"; {halved}" if halved else ""),
        )
    if fewer:
        return callout("warn", f"no table lost all rows since {since}", f"but {halved}")
    unread = sum(1 for item in items if item.change == "unread")
    if unread:
        return callout("unknown", f"no table that was read lost half of its rows since {since}", f"{unread} not read")
    less = sum(1 for item in items if item.change == "less")
    if less:
        return callout("pass", f"no table lost half of its rows since {since}", f"{less} with somewhat fewer")
    return callout("pass", f"no table lost rows since {since}")


def _ago(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length or (unit == "min" and seconds >= length):
            return f"{seconds // length:.0f} {unit} ago"
    return "just now"


def _table(items: Sequence[TableRows]) -> View:
    head = "".join(f'<th style="text-align:{side};padding:2px 14px 2px 0">{name}</th>' for name, side in COLUMNS)
    body = "".join(_row(item) for item in items)
    page = (
        f'<div style="overflow-x:auto"><table style="border-collapse:collapse;{FONT}">'
        f'<thead style="border-bottom:1px solid #9aa3ad"><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )
    lines = (f"{KINDS[i.change][1] if i.backup else '•'}  {_name(i)}: {_number(i.before)} → {_now(i)}" for i in items)
    return View(page, "\n".join(line.replace("\n", " ") for line in lines))


def _row(item: TableRows) -> str:
    kind, word = KINDS[item.change]
    colour = COLOURS[kind]
    sign = f'<b style="color:{colour};white-space:nowrap">{word}</b>' if item.backup else ""
    cells = (html.escape(_name(item)), _number(item.before), _now(item), _bar(item, colour), sign)
    return "<tr>" + "".join(
        f'<td style="padding:2px 14px 2px 0;text-align:{side};font-variant-numeric:tabular-nums">{cell}</td>'
        for cell, (_, side) in zip(cells, COLUMNS, strict=True)
    ) + "</tr>"  # fmt: skip


def _bar(item: TableRows, colour: str) -> str:
    """What is left of the backup's rows; nothing where there is nothing to hold against each other."""
    if not item.before or item.change == "unread":
        return ""
    share = min((item.now or 0) / item.before, 1.0)
    inner = f'<div style="background:{colour};width:{WIDE * share:.0f}px;height:10px"></div>'
    return (
        f'<div title="{share:.0%}" style="border:1px solid {colour};width:{WIDE}px;height:10px;border-radius:2px;'
        f'overflow:hidden">{inner}</div>'
    )


def _name(item: TableRows) -> str:
    return f"{item.database}/{item.table}"


def _now(item: TableRows) -> str:
    return f"≈ {_number(item.now)}" if item.estimated else _number(item.now)


def _number(rows: int | None) -> str:
    return "–" if rows is None else f"{rows:,}"
