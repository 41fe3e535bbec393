"""The evidence of databases: that they answer, that the schema is what is expected, that no rows are lost."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from drillbook.decide.content import named
from drillbook.decide.drift import Drift, drift, tables_of
from drillbook.decide.emptiness import rows_evidence
from drillbook.decide.evidence import Evidence, Verdict
from drillbook.observe.facts import DatabaseFact, SchemaFact, Snapshot

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
    if wanted and tables_of(fact).intersection(wanted.tables):
        yield from _columns(fact, wanted)
    yield rows_evidence(snapshot, fact)
    if fact.max_connections:
        yield _connections(fact)
    if fact.unread:
        why = named(f"{table} ({reason})" for table, reason in fact.unread.items())
        yield make("unread", "unknown", f"rows of {len(fact.unread)} tables could not be read: {why}",
                   "every table can be read", "SELECT * FROM pg_locks WHERE mode = 'AccessExclusiveLock'")  # fmt: skip


def _evidence(
    fact: DatabaseFact, prefix: str, verdict: Verdict, observed: str, expected: str, query: str
) -> Evidence:  # fmt: skip
    how = f'psql -d {fact.dbname} -c "{query}"'
    return Evidence(f"{prefix}:{fact.key}", "database", fact.key, verdict, observed, expected, how)


def _schema(fact: DatabaseFact, wanted: SchemaFact | None) -> Evidence:
    there, query = tables_of(fact), r"\dt *.*"
    observed = f"{len(there)} tables"
    if wanted is None:
        expected = "a backup or a schema_file in the target's file to hold it against"
        return _evidence(fact, "schema", "unknown", observed, expected, query)
    gone = [name for name in wanted.tables if name not in there]
    text = f"{observed}; {len(gone)} missing: {named(gone)}" if gone else observed
    expected = f"{len(wanted.tables)} tables, by {wanted.origin}"
    return _evidence(fact, "schema", "fail" if gone else "pass", text, expected, query)


def _columns(fact: DatabaseFact, wanted: SchemaFact) -> Iterator[Evidence]:
    """Whether the tables that are there are as they must be; nothing where *wanted* tells of no column.

    Against a backup, what came since is only a note: a migration may have brought it.
    """
    found = drift(fact, wanted)
    if not found.compared and not found.differs:
        return
    wrong = found.broken or (wanted.declared and found.differs)
    text = "; ".join(_told(found)) or f"{found.compared} columns and {len(wanted.indexes)} indexes, all as expected"
    expected = f"the columns and indexes of {wanted.origin}"
    yield _evidence(fact, "columns", "fail" if wrong else "pass", text, expected, r"\d *.*")


def _told(found: Drift) -> Iterator[str]:
    for says, what in (
        ("columns missing", found.missing), ("of another type", found.retyped), ("indexes missing", found.unindexed),
        ("tables not expected", found.more_tables), ("columns not expected", found.more_columns),
        ("indexes not expected", found.more_indexes),
    ):  # fmt: skip
        if what:
            yield f"{says}: {named(what)}"


def _connections(fact: DatabaseFact) -> Evidence:
    full = fact.connections >= BUSY_SHARE * fact.max_connections
    text = f"{fact.connections} of {fact.max_connections} connections are in use"
    query = "SELECT usename, state, count(*) FROM pg_stat_activity GROUP BY 1, 2"
    return _evidence(fact, "connections", "fail" if full else "pass", text, f"fewer than {BUSY_SHARE:.0%}", query)
