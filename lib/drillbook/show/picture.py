"""Freshness as a picture: an SVG that a postmortem can embed as it is."""

from __future__ import annotations

import html

from drillbook.decide.diagnose import Diagnosis
from drillbook.show.levels import LEVELS, grid
from drillbook.show.view import COLOURS, SIGNS

LEFT, TOP, WIDE, HIGH, GAP = 150, 56, 104, 30, 6
NOT_ASKED = "#d1d5db"


def freshness(diagnosis: Diagnosis) -> str:
    """The grid as SVG: levels across, services down; green, red, grey, each with its sign and word."""
    rows = grid(diagnosis)
    width, height = LEFT + len(LEVELS) * (WIDE + GAP) + 10, TOP + len(rows) * (HIGH + GAP) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="13">',
        f"<title>Freshness of {html.escape(diagnosis.target)}: {diagnosis.verdict}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="10" y="20" font-weight="600">Freshness of {html.escape(diagnosis.target)}: '
        f"{diagnosis.verdict}</text>",
    ]
    parts += [_text(LEFT + n * (WIDE + GAP) + WIDE / 2, 46, level, "#374151") for n, level in enumerate(LEVELS)]
    for number, (name, row) in enumerate(rows.items()):
        top = TOP + number * (HIGH + GAP)
        parts.append(f'<text x="10" y="{top + 20}" font-weight="600">{html.escape(name)}</text>')
        for column, level in enumerate(LEVELS):
            verdict = row[level].verdict if level in row else ""
            parts += _field(LEFT + column * (WIDE + GAP), top, verdict, row[level].observed if level in row else "")
    return "\n".join([*parts, "</svg>", ""])


def _field(left: float, top: float, verdict: str, said: str) -> list[str]:
    ink = "#ffffff" if verdict else "#4b5563"
    return [
        f'<rect x="{left}" y="{top}" width="{WIDE}" height="{HIGH}" rx="4" fill="{COLOURS.get(verdict, NOT_ASKED)}">'
        f"<title>{html.escape(said or 'not asked')}</title></rect>",
        _text(left + WIDE / 2, top + 20, f"{SIGNS.get(verdict, '–')} {verdict or 'not asked'}", ink),
    ]


def _text(x: float, y: float, text: str, colour: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="middle" fill="{colour}">{html.escape(text)}</text>'
