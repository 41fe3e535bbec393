"""Early-warning signs as a small table."""

from __future__ import annotations

from drillbook.decide.signs import Warning
from drillbook.show.view import View, callout, folded, table

WORDS = {"exceeded": "✗ exceeded", "within": "✓ within", "unknown": "? unknown"}


def warning(told: Warning | None) -> View:
    """The signs with their limits; a box in amber when all three are exceeded; the error lines of the logs below."""
    if told is None:
        return callout("unknown", "early-warning signs could not be observed")
    rows: list[dict[str, object]] = [
        {"sign": sign.name, "state": WORDS[sign.state], "observed": sign.observed, "too much": sign.limit}
        for sign in told.signs
    ]
    view = table("Early-warning signs", rows)
    if told.suspected:
        view = callout("warn", "Cache pollution is suspected", told.says) + view
    lines: list[dict[str, object]] = [{"service": s, "times": n, "line": line} for s, line, n in told.lines]
    return (
        view + folded(f"{len(lines)} error lines in the logs", table("Logs", lines, mono=("line",))) if lines else view
    )
