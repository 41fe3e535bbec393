"""The rules that name what is wrong with databases, services and disks. Pure: evidence in, causes out."""

from __future__ import annotations

from drillbook.decide.cause import Cause, Pieces, subjects


def disk_full(seen: Pieces) -> list[Cause]:
    """A disk that what follows needs is nearly full."""
    proof = seen.failed("disk")
    return [Cause("disk-full", 0.97, "a disk is nearly full: writes there fail, or soon will", proof)] if proof else []


def database_down(seen: Pieces) -> list[Cause]:
    """A database does not answer."""
    proof = seen.failed("database")
    return [Cause("database-down", 0.98, "the database does not answer", proof)] if proof else []


def schema_missing(seen: Pieces) -> list[Cause]:
    """Tables that must be there are not."""
    proof = seen.failed("schema")
    says = "tables that the application needs are not in the database's catalog"
    more = seen.of(subjects(proof), seen.failed("rows"))
    return [Cause("schema-missing", 0.97, says, (*proof, *more), seen.passed("database"))] if proof else []


def schema_drift(seen: Pieces) -> list[Cause]:
    """The tables are there, but not as the application expects them."""
    proof = seen.failed("columns")
    says = "the schema is not what is expected: a migration is missing, half done, or ahead of the code"
    return [Cause("schema-drift", 0.94, says, proof, seen.passed("schema"))] if proof else []


def database_empty(seen: Pieces) -> list[Cause]:
    """The tables are there, but what must be in them is gone."""
    gone = subjects(seen.failed("schema"))
    proof = tuple(e for e in seen.failed("rows") if e.subject not in gone)
    says = "the tables are there, but rows that must be in them are gone"
    against = seen.of(subjects(proof), seen.passed("schema", "columns"))
    return [Cause("database-empty", 0.96, says, proof, against)] if proof else []


def dependency_unhealthy(seen: Pieces) -> list[Cause]:
    """A service is not running or not healthy, and it is not the database that was named already."""
    down = bool(seen.failed("database"))
    proof = tuple(e for e in seen.failed("alive") if not (down and e.level == "database"))
    says = "a service that others need is not running or not healthy"
    return [Cause("dependency-unhealthy", 0.9, says, proof)] if proof else []


STATE_RULES = (disk_full, database_down, schema_missing, database_empty, schema_drift, dependency_unhealthy)
