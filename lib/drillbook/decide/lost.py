"""Whether a database has lost data already, and which proven backups still hold it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drillbook.decide.content import named
from drillbook.decide.drift import tables_of
from drillbook.decide.emptiness import data_rows, must_hold, rows_evidence
from drillbook.observe.facts import BackupFact, DatabaseFact, Snapshot


@dataclass(frozen=True)
class Lost:
    """What is gone of a database: `said` for a person, `tables` those of which a backup must have rows, if any has."""

    said: str
    tables: tuple[str, ...] = ()


def lost(snapshot: Snapshot, fact: DatabaseFact, proven: Sequence[BackupFact]) -> Lost | None:
    """What the database has lost, None when nothing tells of a loss. It must have been read.

    Lost are tables that the schema names, that a proven backup has rows of and that are not there; rows as the
    diagnosis tells: tables that are never empty, more than half of the filled ones, or all of them.
    """
    wanted = snapshot.expected.get(fact.key)
    there = tables_of(fact)
    gone = tuple(t for t in (wanted.tables if wanted else ()) if t not in there and _had(t, fact.key, proven))
    rows = rows_evidence(snapshot, fact)
    if rows.verdict != "fail" and not gone:
        return None
    emptied = tuple(t for t in must_hold(snapshot, fact)[0] if _had(t, fact.key, proven))
    parts = [f"{named(gone)} missing"] if gone else []
    parts += [rows.observed] if rows.verdict == "fail" else []
    return Lost("; ".join(parts), (*gone, *emptied))


def holding(key: str, gone: Lost, proven: Sequence[BackupFact]) -> tuple[BackupFact, ...]:
    """The proven backups that have rows of what is *gone*; where none has rows of all of it, those with any row."""
    filled = [backup for backup in proven if data_rows(backup, key)]
    whole = [backup for backup in filled if all(backup.rows.get(f"{key}/{table}") for table in gone.tables)]
    return tuple(whole or filled)


def _had(table: str, key: str, proven: Sequence[BackupFact]) -> bool:
    return any(backup.rows.get(f"{key}/{table}") for backup in proven)
