"""Whether a database has lost its rows: nothing else can tell an empty table from a table that was emptied."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from drillbook.decide.bookkeeping import is_bookkeeping
from drillbook.decide.content import named
from drillbook.decide.drift import tables_of
from drillbook.decide.evidence import Evidence, Verdict
from drillbook.observe.facts import BackupFact, DatabaseFact, Snapshot

MOST_SHARE, MOST_TABLES = 0.5, 3
"""A queue or the sessions may be empty by right; more than half of the filled tables, and at least three, may not."""


def rows_evidence(snapshot: Snapshot, fact: DatabaseFact) -> Evidence:
    """Rows of all tables, held against the newest filled backup, the target's `filled` and the sequences.

    A migration tool's own tables do not count. Where tables could not be read, an absence proves nothing.
    """
    rows, backup = _data(fact.rows), newest_filled(snapshot, fact.key)
    had = _data(rows_of(backup, fact.key))
    emptied = [name for name, before in had.items() if before and rows.get(name) == 0]
    must, absent = must_hold(snapshot, fact)
    gone = not sum(rows.values()) and not fact.unread
    verdict: Verdict = "pass" if sum(rows.values()) and not absent else "unknown"
    if must or (gone and (sum(had.values()) or (rows and fact.sequences))) or _most(emptied, had, rows):
        verdict = "fail"
    notes = [f"{'about ' if fact.estimated else ''}{sum(rows.values())} rows in {len(rows)} tables"]
    notes += [f"{len(emptied)} of {_filled(had)} tables emptied since: {named(emptied)}"] if emptied else []
    notes += [f"must not be empty: {named(must)}"] if must else []
    notes += [f"never empty by the target's file, but not there: {named(absent)}"] if absent else []
    notes += [f"sequences gave numbers: {_given(fact)}"] if gone and rows and fact.sequences else []
    expected = f"not empty: {sum(had.values())} rows in {backup.name}" if backup else "not empty; there is no backup"
    how = _count(fact, next(iter((*must, *emptied, *rows)), ""))
    return Evidence(f"rows:{fact.key}", "database", fact.key, verdict, "; ".join(notes), expected, how)


def _given(fact: DatabaseFact) -> str:
    return named(f"{name} is at {last}" for name, last in fact.sequences.items())


def _count(fact: DatabaseFact, table: str) -> str:
    """The command that counts *table*, quoted for the server and for a shell."""
    if not table:
        return f"psql -d {fact.dbname} -c '\\dt *.*'"
    schema, _, name = (part.replace('"', '""') for part in table.partition("."))
    return shlex.join(["psql", "-d", fact.dbname, "-c", f'SELECT count(*) FROM "{schema}"."{name}"'])


def newest_filled(snapshot: Snapshot, key: str) -> BackupFact | None:
    """The newest backup of this target in which the database *key* holds a row."""
    ours = [b for b in snapshot.backups if b.identity in ("", snapshot.identity)]
    return next((b for b in reversed(ours) if data_rows(b, key)), None)


def rows_of(backup: BackupFact | None, key: str) -> dict[str, int]:
    """schema.table → rows of the database *key* in *backup*; nothing without one."""
    told = backup.rows if backup else {}
    return {name.removeprefix(f"{key}/"): rows for name, rows in told.items() if name.startswith(f"{key}/")}


def data_rows(backup: BackupFact | None, key: str) -> int:
    """How many rows of the database *key* are in *backup*, without those of migration tools."""
    return sum(_data(rows_of(backup, key)).values())


def _data(rows: Mapping[str, int]) -> dict[str, int]:
    return {name: number for name, number in rows.items() if not is_bookkeeping(name)}


def _filled(rows: Mapping[str, int]) -> int:
    return sum(1 for number in rows.values() if number)


def _most(emptied: list[str], had: Mapping[str, int], now: Mapping[str, int]) -> bool:
    filled = [name for name, before in had.items() if before and name in now]
    return len(emptied) >= MOST_TABLES and len(emptied) > MOST_SHARE * len(filled)


def must_hold(snapshot: Snapshot, fact: DatabaseFact) -> tuple[list[str], list[str]]:
    """Of the tables that the target's file says are never empty: those that are, and those that nobody has."""
    empty, absent, there = [], [], tables_of(fact)
    wanted = snapshot.expected.get(fact.key)
    for name in snapshot.filled.get(fact.key, ()):
        places = [t for t in (name, f"public.{name}") if t in there]
        places = places or sorted(t for t in there if t.endswith(f".{name}"))
        empty += [t for t in places[:1] if fact.rows.get(t) == 0]
        if not places and not (wanted and {name, f"public.{name}"}.intersection(wanted.tables)):
            absent.append(name)
    return empty, absent
