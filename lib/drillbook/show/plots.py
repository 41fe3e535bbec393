"""Plots of what the vault tells of the past, as SVG that a postmortem embeds as it is. Renders; decides nothing."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from drillbook.decide.history import Series

INK, FAINT = "#1f5fae", "#d0d7de"
RED, SECOND = "#b42318", "#9a6700"
LINES = ("#1f5fae", "#b42318", "#1a7f37", "#9a6700", "#6639a6", "#0b7285")
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "drillbook", "font.family": "sans-serif", "font.size": 9,
    "text.parse_math": False, "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#6b7280",
    "axes.titlesize": 10, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.formatter.useoffset": False,
}  # fmt: skip
"""`text.parse_math`: a table's name may hold a dollar. `hashsalt`: the same plot is the same file."""
MOST_MARKS = 60
FAR = 4


def restore_times(series: Series, budget_seconds: float) -> str:
    """What a restore took in each drill, and the budget as a line. Empty until there are two."""

    def draw(axes: Any) -> None:
        _line(axes, series, INK)
        far = budget_seconds > FAR * max(value for _, value in series)
        if far:  # on a scale from 0 what a restore takes would be a flat line at the bottom
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.axhline(budget_seconds, color=RED, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            f"budget {budget_seconds:g} s", (1, budget_seconds), xycoords=("axes fraction", "data"), ha="right",
            xytext=(0, 3), textcoords="offset points", color=RED,
        )  # fmt: skip
        axes.set_title(f"What a restore takes (RTO), in seconds{' (logarithmic)' if far else ''}")

    return _figure(draw) if len(series) > 1 else ""


def sizes_and_durations(sizes: Series, durations: Series) -> str:
    """The backups' sizes above, the time that each took below. Empty until there are two."""

    def draw(axes: Any) -> None:
        above, below = axes
        unit, factor = _unit(max(value for _, value in sizes))
        _line(above, tuple((moment, value / factor) for moment, value in sizes), INK)
        above.set_title(f"Size of each backup, in {unit}")
        _line(below, durations, SECOND)
        below.set_title("Time that each took, in seconds")

    return _figure(draw, panels=2) if len(sizes) > 1 and len(durations) > 1 else ""


def rows(tables: Mapping[str, Series]) -> str:
    """Rows of each table over the backups, each line with its name. Empty until one of them has two."""

    def draw(axes: Any) -> None:
        for (name, series), colour in zip(tables.items(), LINES, strict=False):
            _line(axes, series, colour, name)
        axes.set_title("Rows of the tables that change most")
        handles = axes.get_lines()
        axes.legend(handles, list(tables)[: len(handles)], loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)

    return _figure(draw) if any(len(series) > 1 for series in tables.values()) else ""


def proven_age(series: Series, max_hours: float) -> str:
    """The age of the last proven backup, and the age at which none serves a reset. Empty until there are two drills."""

    def draw(axes: Any) -> None:
        axes.plot([m for m, _ in series], [v for _, v in series], color=INK, linewidth=1.5)
        axes.fill_between([m for m, _ in series], [v for _, v in series], color=INK, alpha=0.08, linewidth=0)
        axes.axhline(max_hours, color=RED, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            f"too old for a reset: {max_hours:g} h", (1, max_hours), xycoords=("axes fraction", "data"), ha="right",
            xytext=(0, 3), textcoords="offset points", color=RED,
        )  # fmt: skip
        axes.set_title("Age of the last proven backup, in hours")

    return _figure(draw) if len(series) > 2 else ""


def _line(axes: Any, series: Series, colour: str, label: str = "") -> None:
    marker = "o" if len(series) <= MOST_MARKS else ""
    moments, values = [moment for moment, _ in series], [value for _, value in series]
    axes.plot(moments, values, color=colour, marker=marker, markersize=4, linewidth=1.5, label=label)


def _unit(most: float) -> tuple[str, float]:
    return next((u for u in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)) if most >= u[1]), ("bytes", 1.0))


def _figure(draw: Callable[[Any], None], panels: int = 1) -> str:
    """The SVG of what *draw* puts onto axes whose x is time, UTC."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a glyph that our font lacks is drawn by the reader's
        figure = Figure(figsize=(8, 2.4 * panels), layout="constrained")
        axes = figure.subplots(panels, 1, sharex=True)
        draw(axes)
        for one in [axes] if panels == 1 else axes:
            _scale(one)
            one.grid(axis="y", color=FAINT, linewidth=0.6)
            _time(one)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _scale(axes: Any) -> None:
    """From 0 up, with room above; a logarithmic scale stays as it is."""
    if axes.get_yscale() == "linear":
        axes.set_ylim(0, max(axes.get_ylim()[1], axes.dataLim.y1 * 1.08))


def _time(axes: Any) -> None:
    from datetime import UTC

    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(tz=UTC, maxticks=8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))
