"""The evidence of databases: that they answer, that the schema is what is expected, that no rows are lost."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from drillbook.decide.content import named
from drillbook.decide.evidence import Evidence, Verdict
from drillbook.observe.facts import BackupFact, DatabaseFact, SchemaFact, Snapshot

BUSY_SHARE = 0.95
"""From this share of its connections on a server soon refuses the next."""


def database_evidence(snapshot: Snapshot) -> tuple[Evidence, ...]:
    """The evidence of every database; where one does not answer, that alone."""
    return tuple(e for fact in snapshot.databases for e in _database(snapshot, fact))


def _database(snapshot: Snapshot, fact: DatabaseFact) -> Iterator[Evidence]:
    make = partial(_evidence, fact)
    if not fact.reachable:
        verdict: Verdict = "fail" if fact.asked else "unknown"
        yield make("database", verdict, fact.error, "it answers", "SELECT 1")
        return
    read: Verdict = "unknown" if fact.error else "pass"
    yield make("database", read, fact.error or f"PostgreSQL {fact.server_version}", "it answers", "SELECT version()")
    if fact.error:
        return
    wanted = snapshot.expected.get(fact.key)
    yield _schema(fact, wanted)
    if wanted and any(name in _tables(fact) for name in wanted.tables):
        yield from _columns(fact, wanted)
    yield _rows(snapshot, fact)
    if fact.max_connections:
        full = fact.connections >= BUSY_SHARE * fact.max_connections
        text = f"{fact.connections} of {fact.max_connections} connections are in use"
        yield make("connections", "fail" if full else "pass", text, f"fewer than {BUSY_SHARE:.0%}",
                   "SELECT state, count(*) FROM pg_stat_activity GROUP BY 1")  # fmt: skip
    if fact.unread:
        table, why = next(iter(fact.unread.items()))
        yield make("unread", "unknown", f"{len(fact.unread)} tables could not be read: {table}: {why}",
                   "every table can be read", "SELECT * FROM pg_locks WHERE NOT granted")  # fmt: skip


def _evidence(
    fact: DatabaseFact, prefix: str, verdict: Verdict, observed: str, expected: str, query: str
) -> Evidence:  # fmt: skip
    how = f'psql -d {fact.dbname} -c "{query}"'
    return Evidence(f"{prefix}:{fact.key}", "database", fact.key, verdict, observed, expected, how)


def _tables(fact: DatabaseFact) -> set[str]:
    """Every table that is there, its rows read or not."""
    return {*fact.rows, *fact.unread, *fact.rowless, *fact.parts, *(c.rpartition(".")[0] for c in fact.columns)}


def _schema(fact: DatabaseFact, wanted: SchemaFact | None) -> Evidence:
    observed, query = f"{len(_tables(fact))} tables", r"\dt *.*"
    if wanted is None:
        expected = "a backup or a schema_file in the target's file to hold it against"
        return _evidence(fact, "schema", "unknown", observed, expected, query)
    gone = [name for name in wanted.tables if name not in _tables(fact)]
    text = f"{observed}; missing: {named(gone)}" if gone else observed
    expected = f"{len(wanted.tables)} tables, by {wanted.origin}"
    return _evidence(fact, "schema", "fail" if gone else "pass", text, expected, query)


def _columns(fact: DatabaseFact, wanted: SchemaFact) -> Iterator[Evidence]:
    """Whether the tables that are there are as they must be; what came since a backup is no finding, only a note."""
    if not wanted.columns or not fact.columns:
        return
    there = {name.rpartition(".")[0] for name in fact.columns}
    ours = {name: kind for name, kind in wanted.columns.items() if name.rpartition(".")[0] in there}
    described = {name.rpartition(".")[0] for name in ours}
    gone = sorted(set(ours) - set(fact.columns))
    other = sorted(n for n, kind in ours.items() if kind and n in fact.columns and fact.columns[n] != kind)
    more = sorted(n for n in fact.columns if n not in ours and n.rpartition(".")[0] in described)
    lost = sorted(i for i in set(wanted.indexes) - set(fact.indexes) if i.rpartition(" on ")[2] in there)
    parts = [f"missing: {named(gone)}" if gone else "", f"of another type: {named(other)}" if other else "",
             f"not expected: {named(more)}" if more else "", f"without {named(lost)}" if lost else ""]  # fmt: skip
    wrong = bool(gone or other or (wanted.declared and (more or lost)))
    text = "; ".join(filter(None, parts)) or f"{len(ours)} columns and {len(wanted.indexes)} indexes, all as expected"
    yield _evidence(fact, "columns", "fail" if wrong else "pass", text, f"the columns and indexes of {wanted.origin}",
                    r"\d *.*")  # fmt: skip


def _rows(snapshot: Snapshot, fact: DatabaseFact) -> Evidence:
    total, before = sum(fact.rows.values()), newest_filled(snapshot)
    had = rows_of(before, fact.key)
    emptied = [name for name, rows in had.items() if rows and fact.rows.get(name) == 0]
    must = [name for name in _declared(snapshot, fact) if fact.rows.get(name) == 0]
    given = sum(fact.sequences.values())
    text = f"{total} rows" + (f"; emptied since {before.name}: {named(emptied)}" if before and emptied else "")
    text += f"; empty: {named(must)}" if must else ""
    text += f"; sequences gave {given} numbers" if not total and given else ""
    expected = f"not empty: {sum(had.values())} rows in {before.name}" if before and had else "not empty"
    lost = bool(fact.rows) and not fact.unread and not total and bool(sum(had.values()) or given)
    verdict: Verdict = "fail" if must or lost else "pass" if total else "unknown"
    if not fact.rows and snapshot.expected.get(fact.key):
        verdict = "fail" if sum(had.values()) else "unknown"
    return _evidence(fact, "rows", verdict, text, expected, "SELECT relname, n_live_tup FROM pg_stat_user_tables")


def newest_filled(snapshot: Snapshot) -> BackupFact | None:
    """The newest backup of this target that holds a row."""
    filled = [b for b in snapshot.backups if sum(b.rows.values()) and b.identity in ("", snapshot.identity)]
    return filled[-1] if filled else None


def rows_of(backup: BackupFact | None, key: str) -> dict[str, int]:
    """schema.table → rows of the database *key* in *backup*; nothing without one."""
    told = backup.rows if backup else {}
    return {name.removeprefix(f"{key}/"): rows for name, rows in told.items() if name.startswith(f"{key}/")}


def _declared(snapshot: Snapshot, fact: DatabaseFact) -> list[str]:
    """The tables that the target's file says are never empty, with their schema."""
    names = snapshot.filled.get(fact.key, ())
    return [table for name in names for table in fact.rows if table in (name, f"public.{name}")]
