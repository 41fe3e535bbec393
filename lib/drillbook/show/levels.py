"""Freshness as a grid, levels across and services down, and the files that differ below it."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from drillbook.decide.diagnose import Diagnosis
from drillbook.decide.differences import Difference
from drillbook.decide.evidence import Evidence, Verdict
from drillbook.show.view import COLOURS, FONT, SIGNS, View, table

LEVELS = ("source", "context", "image", "container", "process", "response")
NOT_CODE = ("alive", "answer")
WORST: tuple[Verdict, ...] = ("fail", "unknown", "pass")
Grid = dict[str, dict[str, Evidence]]


def grid(diagnosis: Diagnosis) -> Grid:
    """service → level → the worst evidence there; services whose code is known, the proxy, and whatever fails."""
    found: Grid = {}
    for item in diagnosis.evidence:
        if item.level in LEVELS and item.id.split(":")[0] not in NOT_CODE:
            row = found.setdefault(diagnosis.services.get(item.subject, item.subject), {})
            row[item.level] = min(row.get(item.level, item), item, key=lambda e: WORST.index(e.verdict))
    return {
        name: row for name, row in found.items()
        if "source" in row or "response" in row or any(e.verdict == "fail" for e in row.values())
    }  # fmt: skip


def levels(diagnosis: Diagnosis) -> View:
    """The grid with a sign, a word and a colour in each field; what was seen there when the mouse rests on it."""
    rows = grid(diagnosis)
    if not rows:
        return View("", "")
    head = "".join(f'<th style="padding:4px 10px;text-align:center">{level}</th>' for level in LEVELS)
    body = "".join(
        f'<tr><th style="text-align:left;padding:4px 10px 4px 0">{html.escape(name)}</th>{_fields(row)}</tr>'
        for name, row in rows.items()
    )
    page = (
        f'<div style="{FONT}"><b>Freshness: does what runs say what the source says?</b>'
        f'<table style="border-collapse:separate;border-spacing:3px;{FONT}"><tr><th></th>{head}</tr>{body}</table>'
        "</div>"
    )
    text = "\n".join(
        f"{name}: " + ", ".join(f"{level} {row[level].verdict if level in row else '–'}" for level in LEVELS)
        for name, row in rows.items()
    )
    return View(page, f"Freshness\n{text}")


def _fields(row: Mapping[str, Evidence]) -> str:
    return "".join(_field(row.get(level)) for level in LEVELS)


def _field(item: Evidence | None) -> str:
    verdict = item.verdict if item else ""
    colour, sign = COLOURS.get(verdict, "#e5e7eb"), SIGNS.get(verdict, "–")
    ink = "#fff" if verdict else "#6b7280"
    style = f"background:{colour};color:{ink};text-align:center;min-width:74px;padding:4px 8px;border-radius:3px"
    title = html.escape(f"{item.observed} (expected: {item.expected})" if item else "not asked", quote=True)
    return f'<td style="{style}" title="{title}">{sign} {verdict or "not asked"}</td>'


def files(items: Sequence[Difference]) -> View:
    """The files that differ, their digest at every level; the levels that are not the source's are marked."""
    if not items:
        return View("", "")
    rows: list[dict[str, object]] = [
        {"service": d.service, "file": d.path, "source": _short(d.source), "image": _mark(d.image, d.source),
         "bundle made from": _mark(d.bundle, d.source), "process": _mark(d.process, d.source)}
        for d in items
    ]  # fmt: skip
    return table(
        "Files that differ (sha256, first digits)",
        rows,
        mono=("file", "source", "image", "bundle made from", "process"),
    )


def _short(digest: str) -> str:
    return digest[:10] or "–"


def _mark(digest: str, source: str) -> str:
    if not digest:
        return "–"
    return f"{SIGNS['pass'] if digest == source else SIGNS['fail']} {digest[:10]}"
