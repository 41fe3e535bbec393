"""Early-warning signs as a small table."""

from __future__ import annotations

from drillbook.decide.signs import Warning
from drillbook.show.view import View, callout, folded, table

WORDS = {"exceeded": "✗ exceeded", "within": "✓ within", "unknown": "? unknown"}
THERE = {True: "● there", False: "○ not there", None: "? unknown"}


def warning(told: Warning | None) -> View:
    """The signs with their limits; a box in amber when all three are exceeded; below, what stands behind them."""
    if told is None:
        return callout("unknown", "early-warning signs could not be observed")
    rows: list[dict[str, object]] = [
        {"sign": sign.name, "state": WORDS[sign.state], "observed": sign.observed, "too much": sign.limit}
        for sign in told.signs
    ]
    view = table("Early-warning signs", rows)
    if told.suspected:
        view = callout("warn", "Cache pollution is suspected", told.says) + view
    elif all(sign.state != "within" for sign in told.signs):
        view = view + callout("unknown", told.says)
    for part in (_early(told), _lines(told), _unknown(told)):
        view = view + part if part else view
    return view


def _early(told: Warning) -> View | None:
    rows: list[dict[str, object]] = [
        {"sign": sign.name, "state": THERE[sign.there], "observed": sign.observed} for sign in told.early
    ]
    there = sum(sign.there is True for sign in told.early)
    return (
        folded(f"the report's checklist: {there} of {len(rows)} are there", table("Checklist", rows)) if rows else None
    )


def _lines(told: Warning) -> View | None:
    rows: list[dict[str, object]] = [{"service": s, "times": n, "line": line} for s, line, n in told.lines]
    many = "1 kind of error line" if len(rows) == 1 else f"{len(rows)} kinds of error lines"
    return folded(f"{many} in the logs", table("Logs", rows, mono=("line",))) if rows else None


def _unknown(told: Warning) -> View | None:
    why = "\n".join(f"{name}: {reason}" for name, reason in told.unknown.items())
    return callout("unknown", "not everything could be asked", why) if why else None
