"""What is said of databases: that they answer, that the schema is what is expected, that they can be reached."""

from __future__ import annotations

from typing import Any

import builders
import pytest

from drillbook.decide.evidence import Evidence
from drillbook.decide.schema import database_evidence
from drillbook.observe.facts import DatabaseFact, SchemaFact, Snapshot

COLUMNS = {
    "public.users.id": "bigint", "public.users.role": 'public."Role"', "public.organizations.id": "bigint",
    "public.organizations.name": "character varying(20)",
}  # fmt: skip
INDEXES = ("index public.o_name on public.organizations", "unique index public.users_key on public.users")


def database(**changes: Any) -> DatabaseFact:
    return builders.database(**{"columns": COLUMNS, "indexes": INDEXES, "max_connections": 100, **changes})


def wanted(**changes: Any) -> SchemaFact:
    return builders.expected(**{"columns": COLUMNS, "indexes": INDEXES, **changes})


def snapshot(fact: DatabaseFact, schema: SchemaFact | None = None, **changes: Any) -> Snapshot:
    return builders.healthy(databases=(fact,), expected={"main": schema} if schema else {}, **changes)


def seen(fact: DatabaseFact, schema: SchemaFact | None = None, **changes: Any) -> dict[str, Evidence]:
    return {e.id: e for e in database_evidence(snapshot(fact, schema, **changes))}


def without(columns: dict[str, str], *names: str) -> dict[str, str]:
    return {name: kind for name, kind in columns.items() if name not in names}


def test_a_healthy_database_passes_in_everything() -> None:
    """Answers, schema, columns, rows, connections: five passes, each with a command that repeats it."""
    found = seen(database(connections=12), wanted())
    assert list(found) == ["database:main", "schema:main", "columns:main", "rows:main", "connections:main"]
    assert {e.verdict for e in found.values()} == {"pass"}
    assert all(e.how.startswith("psql -d connect -c ") for e in found.values())
    assert found["columns:main"].observed == "4 columns and 2 indexes, all as expected"


@pytest.mark.parametrize(
    ("changes", "verdict", "ids"),
    [
        ({"reachable": False, "error": "connection refused"}, "fail", 1),
        ({"reachable": False, "asked": False, "error": "the variable PASSWORD is not set"}, "unknown", 1),
        ({"error": "it answers, but its catalog cannot be read"}, "unknown", 1),
    ],
)
def test_where_it_cannot_be_asked_that_alone_is_said(changes: dict[str, Any], verdict: str, ids: int) -> None:
    """A database that is down is one finding; one that we cannot ask is none; nothing is guessed of its schema."""
    found = seen(database(rows={}, columns={}, **changes), wanted())
    assert (found["database:main"].verdict, len(found)) == (verdict, ids)
    assert found["database:main"].observed == changes["error"]


def test_missing_tables_fail_and_are_named_once() -> None:
    """A table that is gone is the schema's finding; its columns and indexes are not counted again."""
    lost = database(
        rows={"public.users": 10},
        columns={n: k for n, k in COLUMNS.items() if "users" in n},
        indexes=INDEXES[1:],
    )
    found = seen(lost, wanted())
    assert found["schema:main"].verdict == "fail"
    assert found["schema:main"].observed == "1 tables; 1 missing: public.organizations"
    assert found["columns:main"].verdict == "pass"


def test_all_tables_missing_is_one_finding_of_the_schema() -> None:
    """Nothing is said of columns where no expected table is there."""
    found = seen(database(rows={}, columns={}, indexes=()), wanted())
    assert found["schema:main"].verdict == "fail"
    assert "columns:main" not in found


@pytest.mark.parametrize("where", ["rows", "unread", "rowless"])
def test_a_table_is_there_whether_or_not_its_rows_are_read(where: str) -> None:
    """Locked tables and partitioned ones are not missing."""
    rows = {"public.users": 10}
    given: dict[str, Any] = {
        "rows": {"rows": {**rows, "public.organizations": 1}},
        "unread": {"rows": rows, "unread": {"public.organizations": "locked by session 7 (ACCESS EXCLUSIVE)"}},
        "rowless": {"rows": rows, "rowless": ("public.organizations",)},
    }[where]
    assert seen(database(**given), wanted())["schema:main"].verdict == "pass"


def test_without_an_expectation_the_schema_is_unknown() -> None:
    """With neither a schema file nor a backup nobody knows what must be there."""
    found = seen(database())
    assert found["schema:main"].verdict == "unknown"
    assert "columns:main" not in found


MORE = {**COLUMNS, "public.users.extra": "text"}
DRIFTS: dict[str, tuple[dict[str, Any], str, bool, bool]] = {
    # what is there → the text, whether it fails against a declared schema, whether against a backup
    "column gone": (
        {"columns": without(COLUMNS, "public.users.role")}, "columns missing: public.users.role", True, True,
    ),
    "retyped": (
        {"columns": {**COLUMNS, "public.users.id": "integer"}},
        "of another type: public.users.id (integer, not bigint)", True, True,
    ),
    "longer": (
        {"columns": {**COLUMNS, "public.organizations.name": "character varying(40)"}},
        "of another type: public.organizations.name (character varying(40), not character varying(20))", True, True,
    ),
    "column more": ({"columns": MORE}, "columns not expected: public.users.extra", True, False),
    "index gone": (
        {"indexes": INDEXES[:1]}, "indexes missing: unique index public.users_key on public.users", True, False,
    ),
    "no longer unique": (
        {"indexes": (INDEXES[0], "index public.users_key on public.users")},
        "indexes missing: unique index public.users_key on public.users; "
        "indexes not expected: index public.users_key on public.users", True, False,
    ),
    "table more": (
        {"rows": {"public.users": 1, "public.organizations": 1, "public.hotfix": 0}},
        "tables not expected: public.hotfix", True, False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DRIFTS)
@pytest.mark.parametrize("declared", [True, False])
def test_drift_is_told_by_its_kind(name: str, declared: bool) -> None:
    """Against a declared schema any difference fails; against a backup what came since is only a note."""
    changes, text, by_file, by_backup = DRIFTS[name]
    found = seen(database(**changes), wanted(declared=declared))["columns:main"]
    assert found.observed == text
    assert found.verdict == ("fail" if (by_file if declared else by_backup) else "pass")


NO_DRIFTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "quoting": ({}, {"columns": {**COLUMNS, "public.users.role": "public.Role"}}),
    "a type that nobody could tell": ({}, {"columns": {**COLUMNS, "public.users.role": ""}}),
    "columns that nobody could tell": (
        {"columns": MORE}, {"columns": {n: k for n, k in COLUMNS.items() if "users" not in n}},
    ),
    "a migration tool's table": (
        {"rows": {"public.users": 1, "public.organizations": 1, "public._prisma_migrations": 4}}, {},
    ),
    "another application's schema": (
        {"rows": {"public.users": 1, "public.organizations": 1, "cron.job": 4}}, {},
    ),
    "a new partition": (
        {"rows": {"public.users": 1, "public.users_2026": 1}, "rowless": ("public.organizations",),
         "parts": {"public.users_2026": "public.users"}}, {},
    ),
    "an index without a name": (
        {"indexes": (*INDEXES, "index public.users_role_idx on public.users")},
        {"indexes": (*INDEXES, "some index on public.users")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_DRIFTS)
def test_what_is_no_drift_passes(name: str) -> None:
    """Nothing is red that somebody else, the server or a spelling explains."""
    changes, expectation = NO_DRIFTS[name]
    found = seen(database(**changes), wanted(**expectation))
    assert (found["columns:main"].verdict, found["schema:main"].verdict) == ("pass", "pass")


@pytest.mark.parametrize(("connections", "verdict"), [(94, "pass"), (95, "fail"), (100, "fail")])
def test_connections_fail_before_they_run_out(connections: int, verdict: str) -> None:
    """From 95 percent on the next one may be refused."""
    found = seen(database(connections=connections), wanted())["connections:main"]
    assert (found.verdict, found.observed) == (verdict, f"{connections} of 100 connections are in use")


def test_what_was_not_read_is_unknown_with_the_reason() -> None:
    """A table under a migration's lock is no pass."""
    found = seen(database(unread={"public.users": "locked by session 7 (ACCESS EXCLUSIVE)"}), wanted())
    assert found["unread:main"].verdict == "unknown"
    assert "public.users (locked by session 7 (ACCESS EXCLUSIVE))" in found["unread:main"].observed


def test_each_database_has_its_own_evidence() -> None:
    """Two databases, one of them down."""
    second = builders.database(key="crm", reachable=False, error="refused")
    found = database_evidence(builders.healthy(databases=(database(), second)))
    assert {e.subject for e in found if e.verdict == "fail"} == {"crm"}
