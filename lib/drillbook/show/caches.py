"""The cache map as one table: what is there first, what is absent behind a click."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drillbook.decide.caches import Cache
from drillbook.show.view import View, folded, table

PRESENT = {"yes": "● yes", "no": "○ no", "unknown": "? unknown"}
UNITS = ("B", "kB", "MB", "GB", "TB")
SPANS = ((86400 * 2, 86400, "days"), (3600 * 2, 3600, "h"), (120, 60, "min"), (0, 1, "s"))
TITLE = "Caches, from source to response"


def cache_map(items: Iterable[Cache]) -> View:
    """Every cache with its size, its age, whether `--no-cache` gets past it, and the command that clears it."""
    items = list(items)
    there = [item for item in items if item.present != "no"]
    absent = [item for item in items if item.present == "no"]
    view = _table(TITLE, there)
    if not absent:
        return view
    names = ", ".join(dict.fromkeys(item.what for item in absent))
    return view + folded(f"○ {len(absent)} are absent: {names}", _table("Absent", absent))


def _table(title: str, items: Sequence[Cache]) -> View:
    page = table(title, [_row(item) for item in items], mono=("where",), below="clears")
    lines = [line for item in items for line in _lines(item)]
    return View(page.html, "\n".join([title, *lines]) if items else page.text)


def _row(item: Cache) -> dict[str, object]:
    return {
        "cache": item.what, "present": PRESENT[item.present], "where": item.where, "size": size(item.bytes),
        "age": age(item.age_seconds), "--no-cache clears it": _past(item), "clears": _command(item),
    }  # fmt: skip


def _lines(item: Cache) -> list[str]:
    """For a log: the row, then its command whole."""
    known = [size(item.bytes)] if item.bytes is not None else []
    known += [f"{age(item.age_seconds)} old"] if item.age_seconds is not None else []
    told = ", ".join([f"{item.what} ({item.where})", *known, f"--no-cache clears it: {_past(item)}"])
    return [f"{PRESENT[item.present]:<9} {told}", *(f"    {line}" for line in _command(item).splitlines())]


def _past(item: Cache) -> str:
    return "yes" if item.no_cache else "no"


def _command(item: Cache) -> str:
    """The note as a shell's comment, then the command: both can be copied."""
    note = " ".join(item.note.split())
    return "\n".join([*([f"# {note}"] if note else []), *([item.clears] if item.clears else [])])


def size(count: int | None) -> str:
    """Bytes as people say them; a dash where none were counted."""
    if count is None:
        return "–"
    value, unit = float(count), 0
    while value >= 1000 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {UNITS[unit]}" if value >= 10 or unit == 0 else f"{value:.1f} {UNITS[unit]}"


def age(seconds: float | None) -> str:
    """Seconds as people say them; a dash where none is known."""
    if seconds is None:
        return "–"
    _, length, unit = next(span for span in SPANS if seconds >= span[0])
    return f"{seconds / length:.0f} {unit}"
