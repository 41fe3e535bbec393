"""What the vault tells of the past: earlier drills as a table, and the plots of a drill and of a backup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from drillbook.decide import history
from drillbook.show import plots
from drillbook.show.view import FONT, View, callout, table
from drillbook.target import Target
from drillbook.vault.backup import Backup

SHOWN = 20
NAMES = {"rto": "what a restore takes", "backups": "size and time of each backup", "rows": "rows of tables",
         "proven-age": "age of the last proven backup"}  # fmt: skip
Plots = Mapping[str, str]
"""name → SVG; empty where there is not enough to draw yet."""


def earlier(backups: Sequence[Backup]) -> View:
    """The drills that left a proof, newest first."""
    past = history.drills(backups)
    rows: list[dict[str, object]] = [
        {"verdict": one.proof.verdict, "drilled (UTC)": f"{one.proof.ended:%Y-%m-%d %H:%M}", "backup": one.backup.name,
         "tier": one.proof.tier, "restore (s)": f"{one.proof.rto_seconds:.1f}" if one.proof.rto_seconds else "–",
         "left out": len(one.proof.left_out), "backup now": one.backup.verdict}
        for one in reversed(past[-SHOWN:])
    ]  # fmt: skip
    more = f", the newest {SHOWN} of {len(past)}" if len(past) > SHOWN else ""
    return table(f"Earlier drills{more}", rows)


def of_drills(backups: Sequence[Backup], target: Target, now: datetime) -> Plots:
    """The plots that a drill shows."""
    budget, max_hours = target.backup.rto_budget_seconds, target.backup.max_age_hours
    return {
        "rto": plots.restore_times(history.restore_seconds(backups), budget),
        "proven-age": plots.proven_age(history.proven_age(backups, now), max_hours),
    }


def of_backups(backups: Sequence[Backup], target: Target, now: datetime) -> Plots:
    """The plots that a backup shows."""
    return {
        "backups": plots.sizes_and_durations(history.sizes(backups), history.durations(backups)),
        "rows": plots.rows(history.rows(backups)),
        "proven-age": plots.proven_age(history.proven_age(backups, now), target.backup.max_age_hours),
    }


def drawn(found: Plots) -> View:
    """The plots, one below the other; what cannot be drawn yet is said."""
    page = "".join(f'<div style="{FONT};max-width:760px;margin:8px 0">{svg}</div>' for svg in found.values() if svg)
    there = [f"{name}.svg: {NAMES[name]}" for name, svg in found.items() if svg]
    view = View(page, "\n".join(there))
    lacking = [NAMES[name] for name, svg in found.items() if not svg]
    if not lacking:
        return view
    return view + callout("note", "not drawn yet", f"{', '.join(lacking)}: a plot begins with the second one")
