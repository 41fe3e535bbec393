"""Rows of every table against the newest backup: a loss is seen at a glance."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from drillbook.decide.emptiness import newest_filled, rows_of
from drillbook.observe.facts import DatabaseFact, Snapshot

Change = Literal["lost", "fewer", "unread", "less", "new", "more", "same"]
ORDER: tuple[Change, ...] = ("lost", "fewer", "unread", "less", "new", "more", "same")
FEWER_SHARE = 0.5
"""Below this share of the backup's rows a table stands out."""


@dataclass(frozen=True)
class TableRows:
    """One table: its rows in the backup and now, None where it is not there, and what that means.

    `lost` had rows and has none, or is gone; `fewer` has less than half, `less` most of
    them. `backup` is empty without
    one; `age_seconds` is the backup's.
    """

    database: str
    table: str
    before: int | None
    now: int | None
    estimated: bool
    change: Change
    backup: str
    age_seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def rows_against_backup(snapshot: Snapshot) -> tuple[TableRows, ...]:
    """Every table of every database that could be asked, losses first; `before` is None without a backup."""
    found = [row for fact in snapshot.databases if fact.reachable and not fact.error for row in _rows(snapshot, fact)]
    return tuple(sorted(found, key=lambda r: (ORDER.index(r.change), -(r.before or 0), r.database, r.table)))


def _rows(snapshot: Snapshot, fact: DatabaseFact) -> list[TableRows]:
    backup = newest_filled(snapshot, fact.key)
    had, now = rows_of(backup, fact.key), fact.rows
    name, age = (backup.name, backup.age_seconds) if backup else ("", 0.0)
    return [
        TableRows(
            database=fact.key, table=table, before=had.get(table), now=now.get(table),
            estimated=table in fact.estimated, change=_change(had.get(table), now.get(table), table in fact.unread),
            backup=name, age_seconds=age,
        )
        for table in sorted({*had, *now, *fact.unread})
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
    left = now or 0
    return "same" if left == before else "more" if left > before else "less"
