"""Rows of every table against the newest backup: a loss is seen at a glance."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from drillbook.decide.schema import newest_filled, rows_of
from drillbook.observe.facts import DatabaseFact, Snapshot

Change = Literal["lost", "fewer", "unread", "new", "more", "same"]
ORDER: tuple[Change, ...] = ("lost", "fewer", "unread", "new", "more", "same")
FEWER_SHARE = 0.5
"""Below this share of the backup's rows a table stands out."""


@dataclass(frozen=True)
class TableRows:
    """One table: its rows in the backup and now, None where it is not there, and what that means.

    `lost` had rows and has none, or is gone; `fewer` has less than half.
    """

    database: str
    table: str
    before: int | None
    now: int | None
    estimated: bool
    change: Change
    backup: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def rows_against_backup(snapshot: Snapshot) -> tuple[TableRows, ...]:
    """Every table of every database that could be asked, losses first; `before` is None without a backup."""
    found = [row for fact in snapshot.databases if fact.reachable for row in _rows(snapshot, fact)]
    return tuple(sorted(found, key=lambda r: (ORDER.index(r.change), -(r.before or 0), r.database, r.table)))


def _rows(snapshot: Snapshot, fact: DatabaseFact) -> list[TableRows]:
    backup = newest_filled(snapshot)
    had = rows_of(backup, fact.key)
    name = backup.name if backup else ""
    return [
        TableRows(fact.key, table, had.get(table), fact.rows.get(table), table in fact.estimated,
                  _change(had.get(table), fact.rows.get(table), table in fact.unread), name)
        for table in sorted({*had, *fact.rows, *fact.unread})
    ]  # fmt: skip


def _change(before: int | None, now: int | None, unread: bool) -> Change:
    if unread:
        return "unread"
    if before is None:
        return "new"
    if before and not now:
        return "lost"
    if (now or 0) < before * FEWER_SHARE:
        return "fewer"
    return "same" if now == before else "more" if (now or 0) > before else "same"
