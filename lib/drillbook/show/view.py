"""A view: one thing on the screen, as HTML in a notebook and as text in a log."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

COLOURS = {"pass": "#1a7f37", "fail": "#b42318", "unknown": "#6b7280", "note": "#1f5fae", "warn": "#9a6700"}
SIGNS = {"pass": "✓", "fail": "✗", "unknown": "?"}
FONT = "font-family:system-ui,sans-serif;font-size:13px;line-height:1.45"
MONO = "font-family:ui-monospace,Menlo,monospace;font-size:12px"
VERDICT_COLUMNS = ("verdict", "status", "severity")
RULED = ' style="background:none;border-top:1px solid #d0d7de"'
SHORT = 32
"""A cell up to this many characters is not broken into lines."""


@dataclass(frozen=True)
class View:
    """Shown as `html` where a browser looks, as `text` where a log does."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text

    def __add__(self, other: View) -> View:
        return View(self.html + other.html, f"{self.text}\n{other.text}")


def show(view: View) -> None:
    """Put *view* into the notebook's output, or on standard output outside of one."""
    from IPython.core.getipython import get_ipython
    from IPython.display import display

    if get_ipython() is None:
        print(view.text)
    else:
        display({"text/html": view.html, "text/plain": view.text}, raw=True)


def chip(verdict: str) -> str:
    """A verdict as a coloured word with a sign, so that colour alone never carries it."""
    colour = COLOURS.get(verdict, COLOURS["note"])
    sign = SIGNS.get(verdict, "•")
    return f'<b style="color:{colour};white-space:nowrap">{sign} {html.escape(verdict)}</b>'


def table(title: str, rows: Sequence[Mapping[str, object]], mono: Sequence[str] = (), below: str = "") -> View:
    """*rows* under *title*; columns are the first row's keys, `verdict` is coloured, those in *mono* are code.

    The column *below* holds long text: it gets a line of its own under its row.
    """
    if not rows:
        return View(f'<p style="{FONT}"><b>{html.escape(title)}</b>: none</p>', f"{title}: none")
    columns = list(rows[0])
    across = [column for column in columns if column != below]
    head = "".join(f'<th style="text-align:left;padding:4px 12px 4px 0">{html.escape(c)}</th>' for c in across)
    body = "".join(
        f"<tr{RULED if below else ''}>{''.join(_cell(c, row.get(c, ''), mono) for c in across)}</tr>"
        + (_beneath(row.get(below, ""), len(across)) if below else "")
        for row in rows
    )
    page = (
        f'<div style="{FONT};overflow-x:auto"><div style="font-weight:600;margin:8px 0 2px">{html.escape(title)}</div>'
        f'<table style="border-collapse:collapse;text-align:left;{FONT}">'
        '<thead style="border-bottom:1px solid #9aa3ad">'
        f"<tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
    return View(page, f"{title}\n{_text(columns, rows)}")


def _cell(column: str, value: object, mono: Sequence[str]) -> str:
    text = str(value)
    if column in VERDICT_COLUMNS:
        inner = chip(text)
    else:
        font = f' style="{MONO}"' if column in mono else ""
        inner = f"<span{font}>{html.escape(text)}</span>"
    wrap = "pre-wrap;overflow-wrap:anywhere" if column in mono or len(text) > SHORT else "nowrap"
    style = f"padding:3px 12px 3px 0;vertical-align:top;text-align:left;white-space:{wrap}"
    return f'<td style="{style}">{inner}</td>'


def _beneath(value: object, width: int) -> str:
    style = f"{MONO};padding:0 12px 5px 0;text-align:left;white-space:pre-wrap;overflow-wrap:anywhere"
    return f'<tr style="background:none"><td colspan="{width}" style="{style}">{html.escape(str(value))}</td></tr>'


def _text(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    cells = [[str(row.get(c, "")).replace("\n", " ") for c in columns] for row in rows]
    widths = [min(60, max(len(c), *(len(line[i]) for line in cells))) for i, c in enumerate(columns)]
    lines = [columns, *cells]
    return "\n".join(
        "  ".join(text[:60].ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def folded(summary: str, view: View) -> View:
    """*view* behind a click on *summary*; whole in a log."""
    style = f"{FONT};margin:6px 0"
    page = f'<details style="{style}"><summary>{html.escape(summary)}</summary>{view.html}</details>'
    return View(page, view.text)


def callout(kind: str, title: str, detail: str = "", folded: str = "", link: tuple[str, str] = ("", "")) -> View:
    """A coloured box: *title* in bold, *detail* below, *folded* behind a click, *link* (its words, where to) last."""
    colour = COLOURS.get(kind, COLOURS["note"])
    more = f'<div style="white-space:pre-wrap;margin-top:2px">{html.escape(detail)}</div>' if detail else ""
    if folded:
        more += (
            f'<details><summary>technical details</summary><pre style="{MONO}">{html.escape(folded)}</pre></details>'
        )
    words, to = link
    if to:
        more += f'<div style="margin-top:2px"><a href="{html.escape(to, quote=True)}">{html.escape(words)}</a></div>'
    page = (
        f'<div style="{FONT};border-left:4px solid {colour};padding:6px 12px;margin:6px 0;overflow-wrap:anywhere">'
        f'<b style="color:{colour}">{html.escape(title)}</b>{more}</div>'
    )
    return View(page, f"{title}\n{detail}".strip())
