"""When rows are lost, and when a table is only empty."""

from __future__ import annotations

from typing import Any

import builders
import pytest

from drillbook.decide.emptiness import newest_filled, rows_evidence
from drillbook.decide.evidence import Evidence
from drillbook.decide.rows import rows_against_backup
from drillbook.observe.facts import BackupFact, Snapshot

HAD = {"users": 1200, "organizations": 310, "sessions": 40, "queue": 7, "flags": 0}
EMPTY = dict.fromkeys(HAD, 0)


def public(rows: dict[str, int], prefix: str = "") -> dict[str, int]:
    return {f"{prefix}public.{name}": number for name, number in rows.items()}


def backup(rows: dict[str, int] | None = None, **changes: Any) -> BackupFact:
    return builders.backup(rows=public(HAD if rows is None else rows, "main/"), **changes)


def snapshot(rows: dict[str, int], *backups: BackupFact, filled: tuple[str, ...] = (), **changes: Any) -> Snapshot:
    fact = builders.database(rows=public(rows), **changes)
    return builders.healthy(databases=(fact,), backups=backups, filled={"main": filled} if filled else {}, expected={})


def said(rows: dict[str, int], *backups: BackupFact, filled: tuple[str, ...] = (), **changes: Any) -> Evidence:
    whole = snapshot(rows, *backups, filled=filled, **changes)
    return rows_evidence(whole, whole.databases[0])


@pytest.mark.parametrize(
    "rows",
    [
        HAD,
        {**HAD, "users": 5000, "queue": 900},
        {**HAD, "users": 300},
        {**HAD, "queue": 0},
        {**HAD, "queue": 0, "sessions": 0},
        {**HAD, "added": 3},
    ],
    ids=["same", "more", "fewer", "queue worked off", "sessions ended", "table added"],
)
def test_what_a_living_database_does_is_no_loss(rows: dict[str, int]) -> None:
    """Rows come and go; a queue and the sessions may be empty by right."""
    assert said(rows, backup()).verdict == "pass"


def test_a_new_database_that_fills_is_no_loss() -> None:
    """Without a backup, some rows are enough; no row at all may be new or lost, and nobody can tell."""
    assert said({**EMPTY, "users": 1}).verdict == "pass"
    assert said(EMPTY).verdict == "unknown"
    assert said({}).verdict == "unknown"


def test_no_row_left_fails_when_a_backup_had_some() -> None:
    """The whole database is empty."""
    found = said(EMPTY, backup())
    assert found.verdict == "fail"
    assert found.observed == (
        "0 rows in 5 tables; 4 of 4 tables emptied since: "
        "public.users, public.organizations, public.sessions and 1 more"
    )
    assert found.expected == "not empty: 1557 rows in 20251013t010000Z-abc123"
    assert found.how == 'psql -d connect -c \'SELECT count(*) FROM "public"."users"\''


def test_a_migration_tools_rows_are_no_data() -> None:
    """After `down -v` the application migrates anew: the tool's table is filled, and all data is gone."""
    assert said({**EMPTY, "_prisma_migrations": 17}, backup({**HAD, "_prisma_migrations": 17})).verdict == "fail"
    assert said({"_prisma_migrations": 17}).verdict == "unknown"


def test_most_tables_emptied_fails_though_some_rows_are_there() -> None:
    """A seed that runs at the start fills a few tables again; more than half are empty that were not."""
    found = said({**EMPTY, "queue": 7, "flags": 3}, backup())
    assert (found.verdict, "3 of 4 tables emptied" in found.observed) == ("fail", True)


def test_two_small_tables_emptied_of_three_are_no_loss() -> None:
    """In a small database a queue and the sessions may be most of the tables."""
    before = {"users": 9, "queue": 7, "sessions": 4}
    assert said({"users": 9, "queue": 0, "sessions": 0}, backup(before)).verdict == "pass"


@pytest.mark.parametrize("name", ["users", "public.users"])
def test_a_table_that_must_be_filled_fails_alone(name: str) -> None:
    """The target's file names what is never empty, with or without its schema; no backup is needed to know."""
    found = said({**HAD, "users": 0}, filled=(name,))
    assert (found.verdict, "must not be empty: public.users" in found.observed) == ("fail", True)
    assert said(HAD, filled=(name,)).verdict == "pass"


def test_a_name_in_two_schemas_means_the_public_one() -> None:
    """Another application's `users` does not speak for ours."""
    whole = snapshot(HAD, filled=("users",))
    fact = builders.database(rows={**public(HAD), "auth.users": 0})
    assert rows_evidence(whole, fact).verdict == "pass"


def test_a_table_that_must_be_filled_and_is_not_there_is_unknown() -> None:
    """Whether it was dropped or is misspelt in the target's file cannot be told from here."""
    found = said(HAD, filled=("user",))
    assert (found.verdict, "not there: user" in found.observed) == ("unknown", True)


def test_ids_were_given_but_no_row_is_left() -> None:
    """Sequences remember what the tables forgot; without tables they prove nothing."""
    found = said(EMPTY, sequences={"public.users_id_seq": 1200})
    assert (found.verdict, "public.users_id_seq is at 1200" in found.observed) == ("fail", True)
    assert said({}, sequences={"public.users_id_seq": 1200}).verdict == "unknown"


def test_an_absence_of_rows_proves_nothing_where_tables_were_not_read() -> None:
    """What is locked may hold them all."""
    assert said({"flags": 0}, backup(), unread={"public.users": "locked"}).verdict == "unknown"
    assert said({**EMPTY}, backup(), unread={"public.more": "locked"}, filled=("users",)).verdict == "fail"


def test_the_newest_filled_backup_of_this_target_is_held_against() -> None:
    """An empty backup, made after the loss, and another target's are passed over."""
    full, empty = backup(name="full"), backup(EMPTY, name="empty")
    other = backup(name="other", identity="someone else")
    assert newest_filled(snapshot(HAD, full, empty, other), "main") == full
    assert newest_filled(snapshot(HAD, empty), "main") is None
    assert newest_filled(snapshot(HAD, full), "crm") is None


def test_rows_against_the_backup_begin_with_the_greatest_loss() -> None:
    """Each table with before, now and what that means."""
    now = {"users": 0, "organizations": 100, "sessions": 30, "flags": 0, "added": 1, "locked": 5}
    whole = snapshot(now, backup(age_seconds=7200.0), estimated=("public.added",), unread={"public.l": "locked"})
    found = [(r.table.removeprefix("public."), r.before, r.now, r.change) for r in rows_against_backup(whole)]
    assert found == [
        ("users", 1200, 0, "lost"), ("queue", 7, None, "lost"), ("organizations", 310, 100, "fewer"),
        ("l", None, None, "unread"), ("sessions", 40, 30, "less"), ("added", None, 1, "new"),
        ("locked", None, 5, "new"), ("flags", 0, 0, "same"),
    ]  # fmt: skip
    first = rows_against_backup(whole)[0]
    assert (first.database, first.backup, first.age_seconds) == ("main", "20251013t010000Z-abc123", 7200.0)
    assert [r.table for r in rows_against_backup(whole) if r.estimated] == ["public.added"]
    assert first.as_json()["change"] == "lost"


def test_a_database_that_was_not_asked_has_no_rows_to_show() -> None:
    """Nothing is called lost that was not looked at."""
    down = builders.database(reachable=False, rows={})
    mute = builders.database(error="its catalog cannot be read", rows={})
    assert rows_against_backup(builders.healthy(databases=(down, mute))) == ()
