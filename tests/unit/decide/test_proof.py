"""What a reset of data may rest on: a fresh proof of what is there, or the newest of what is lost already."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.decide.proof import Proof, fresh_proof, proof_for_data
from drillbook.errors import NotObserved, NotProven
from drillbook.observe.facts import ArchiveFact, BackupFact, HeldFact, SchemaFact, Snapshot

ROWS = {"public.users": 10, "public.organizations": 12}
NOTHING = dict.fromkeys(ROWS, 0)
OLD = 90 * 3600.0
CACHE = "connect_cache"


def backup(name: str, rows: dict[str, int] | None = None, age: float = 3600.0, **changes: Any) -> BackupFact:
    had = {f"main/{table}": number for table, number in (ROWS if rows is None else rows).items()}
    return builders.backup(**{"name": name, "rows": had, "age_seconds": age, **changes})


def snapshot(rows: dict[str, int], *backups: BackupFact, **changes: Any) -> Snapshot:
    fact = builders.database(rows=rows)
    return builders.healthy(**{"databases": (fact,), "backups": backups, **changes})


def proof(facts: Snapshot) -> Proof:
    return proof_for_data(facts, 24, "database")


def test_what_is_there_rests_on_a_fresh_proof() -> None:
    """The newest proven backup, and how old it is."""
    found = proof(snapshot(ROWS, backup("older", age=OLD), backup("newer"), backup("unproven", proven=False)))
    assert found == Proof(backup("newer"), False, "rests on proven backup newer of 1.0 h ago")


@pytest.mark.parametrize(
    ("facts", "fact"),
    [
        (snapshot(ROWS), "connect has no proven backup; 0 unproven"),
        (snapshot(ROWS, backup("a", proven=False)), "no proven backup; 1 unproven"),
        (snapshot(ROWS, backup("a", identity="another")), "no proven backup"),
        (snapshot(ROWS, backup("a", age=OLD)), "90.0 h old, over 24 h"),
        (snapshot(ROWS, backup("a", age=-4000)), "dated in the future"),
        (snapshot({**ROWS, "public.orders": 3}, backup("a")), "a lacks rows of public.orders, which has 3 now"),
        (
            snapshot(ROWS, backup("a"), databases=(builders.database(reachable=False, error="refused"),)),
            "database main cannot be held against a: refused",
        ),
        (
            snapshot(ROWS, backup("a"), databases=(builders.database(rows={}, error="no catalog"),)),
            "database main cannot be held against a: no catalog",
        ),
        (
            snapshot(ROWS, backup("a"), databases=(builders.database(unread={"public.late": "locked"}),)),
            "a lacks rows of public.late, which could not be read now: locked",
        ),
    ],
)
def test_without_a_fresh_proof_of_it_data_is_not_reset(facts: Snapshot, fact: str) -> None:
    """None, too old, of another target, without a table's rows, or held against what could not be read."""
    with pytest.raises(NotProven, match=fact) as caught:
        proof(facts)
    assert "drillbook run backup" in caught.value.hint
    assert caught.value.exit_code == 3


def test_what_could_not_be_read_may_be_in_the_backup() -> None:
    """A table that is locked now, and has rows in the fresh backup."""
    locked = builders.database(rows={"public.organizations": 12}, unread={"public.users": "locked"})
    assert not proof(snapshot(ROWS, backup("a"), databases=(locked,))).lost


@pytest.mark.parametrize("rows", [{}, NOTHING, {**NOTHING, "public.alembic_version": 1}])
def test_a_proof_of_nothing_proves_nothing(rows: dict[str, int]) -> None:
    """A backup of the emptied database is fresh and proven; the rows that are there now are in an older one."""
    facts = snapshot({"public.users": 3, "public.organizations": 12}, backup("full", age=OLD), backup("empty", rows))
    with pytest.raises(NotProven, match="empty holds nothing of connect") as caught:
        proof(facts)
    assert caught.value.fact.endswith("the newest proven one that holds it is full of 90.0 h ago")


def test_an_empty_database_that_never_held_a_row_proves_nothing() -> None:
    """Nobody can tell whether that is as it must be."""
    with pytest.raises(NotProven, match="no proven backup holds a row of connect"):
        proof(snapshot(NOTHING, backup("a", NOTHING), expected={}))


@pytest.mark.parametrize(
    ("rows", "changes", "what"),
    [
        ({}, {}, "public.organizations, public.users missing; 0 rows in 0 tables"),
        (NOTHING, {}, r"0 rows in 2 tables; 2 of 2 tables emptied since"),
        ({**ROWS, "public.users": 0}, {"filled": {"main": ("users",)}}, "must not be empty: public.users"),
        ({"public.users": 10}, {}, "public.organizations missing"),
    ],
)
def test_what_is_lost_already_rests_on_the_newest_proof_that_has_it(
    rows: dict[str, int], changes: dict[str, Any], what: str
) -> None:
    """However old, and although a newer proven one is of the emptied state; it is told plainly."""
    facts = snapshot(
        rows, backup("ancient", age=900 * 3600), backup("full", age=OLD), backup("empty", NOTHING), **changes
    )
    found = proof(facts)
    assert (found.backup.name, found.lost) == ("full", True)
    rests = "): this rests on the newest proven backup full of 90.0 h ago; what was written since then is in no backup"
    assert found.said.startswith("connect is already lost (")
    assert what in found.said
    assert rests in found.said
    assert found.said.endswith("; what is left of it is kept aside") == any(rows.values())


def test_a_table_that_a_migration_dropped_is_not_lost() -> None:
    """The schema does not name it any more: the reset needs a fresh proof, as ever."""
    had = {**ROWS, "public.gone": 7}
    with pytest.raises(NotProven, match="old"):
        proof(snapshot(ROWS, backup("a", had, age=OLD)))
    assert not proof(snapshot(ROWS, backup("a", had))).lost


def test_a_table_that_is_not_migrated_yet_is_not_lost() -> None:
    """The schema names it, and no backup ever had a row of it."""
    wanted = SchemaFact("schema.sql", True, (*ROWS, "public.coming"))
    assert not proof(snapshot(ROWS, backup("a"), expected={"main": wanted})).lost


def test_a_newer_backup_without_the_lost_table_is_passed_over() -> None:
    """It has rows, but not those that are gone."""
    rest = {**ROWS, "public.users": 0}
    facts = snapshot(rest, backup("full", age=OLD), backup("half", rest), filled={"main": ("users",)})
    assert proof(facts).backup.name == "full"


def test_where_no_backup_has_all_of_it_the_newest_that_has_some_counts() -> None:
    """Each has rows of one of the lost tables."""
    halves = [{**NOTHING, table: 7} for table in ROWS]
    facts = snapshot(NOTHING, backup("a", halves[0]), backup("b", halves[1]), filled={"main": tuple(ROWS)})
    assert proof(facts).backup.name == "b"


def test_what_could_not_be_read_is_left_too() -> None:
    """One table is lost, the other is locked: it is told that what is left is kept."""
    half = builders.database(rows={"public.users": 0}, unread={"public.organizations": "locked"})
    found = proof(snapshot({}, backup("a"), databases=(half,), filled={"main": ("users",)}))
    assert found.said.endswith("; what is left of it is kept aside")


def test_lost_and_in_no_proven_backup() -> None:
    """Refused; the backup that could be proven is named, or that there is none."""
    for unproven, hint in (
        (backup("u", proven=False), "-p backup=u"),
        (backup("u", identity="x", proven=False), "keep the volumes"),
    ):
        with pytest.raises(NotProven, match=r"connect is already lost .*; no proven backup holds it") as caught:
            proof(snapshot({}, unproven, backup("empty", NOTHING), filled={"main": ("users",)}, databases=(
                builders.database(rows=NOTHING, sequences={"public.users_id_seq": 9}),)))  # fmt: skip
        assert hint in caught.value.hint


def two(one: dict[str, int], other: dict[str, int], *backups: BackupFact) -> Snapshot:
    facts = (builders.database(rows=one), builders.database(key="stats", dbname="numbers", rows=other))
    return builders.healthy(databases=facts, backups=backups, expected={})


def both(name: str, main: int, stats: int, age: float = 3600.0) -> BackupFact:
    return builders.backup(name=name, rows={"main/public.users": main, "stats/public.n": stats}, age_seconds=age)


def test_one_lost_and_one_not() -> None:
    """The lost one rests on the older backup, the other needs the fresh one."""
    found = proof(two({"public.users": 0}, {"public.n": 4}, both("full", 10, 4, OLD), both("half", 0, 4)))
    assert (found.backup.name, found.lost) == ("full", True)
    assert found.said.endswith("what is not lost rests on half of 1.0 h ago")
    with pytest.raises(NotProven, match="old"):
        proof(two({"public.users": 0}, {"public.n": 4}, both("full", 10, 4, OLD)))


def test_two_lost_that_no_backup_holds_together() -> None:
    """Refused: each is named with the backup that has it."""
    with pytest.raises(NotProven, match="no proven backup holds all of it") as caught:
        proof(two({"public.users": 0}, {"public.n": 0}, both("a", 10, 0), both("b", 0, 4)))
    assert caught.value.hint == "restore what there is: a holds connect; b holds numbers"


@pytest.mark.parametrize("table", ["public.n", "public.alembic_version"])
def test_a_database_that_is_empty_by_right_is_in_nobodys_way(table: str) -> None:
    """Beside one that is held; what a migration tool writes down for itself is no data."""
    rows = {"main/public.users": 10, f"stats/{table}": int(table != "public.n")}
    held = builders.backup(name="a", rows=rows)
    assert not proof(two({"public.users": 10}, {table: int(table != "public.n")}, held)).lost


FILES = ArchiveFact(3, 100, "t")
HELD = HeldFact(CACHE, 4, 120)


def volumes(held: HeldFact, *backups: BackupFact) -> Proof:
    facts = builders.healthy(backups=backups, held={CACHE: held}, databases=())
    return proof_for_data(facts, 24, "volumes", (CACHE,))


def archived(name: str, archive: ArchiveFact | None, age: float = 3600.0) -> BackupFact:
    return builders.backup(name=name, volumes={CACHE: archive} if archive else {}, age_seconds=age)


KEYS = {"redis": "id", "keys": 5, "lasting": 2}


@pytest.mark.parametrize(
    ("held", "archive"),
    [
        (HELD, FILES),
        (replace(HELD, **KEYS), replace(FILES, keys=7)),
        (
            replace(HELD, redis="id", keys=5, lasting=0),
            replace(FILES, keys=0),
        ),
        (replace(HELD, members=0, bytes=0), replace(FILES, members=0)),
    ],
    ids=["files", "keys that last", "only keys that expire", "empty before and now"],
)
def test_a_volume_rests_on_a_fresh_archive_of_it(held: HeldFact, archive: ArchiveFact) -> None:
    """Files or keys; a cache whose keys all expire has none that are counted."""
    assert volumes(held, archived("a", archive)) == Proof(
        archived("a", archive), False, "rests on proven backup a of 1.0 h ago"
    )


@pytest.mark.parametrize(
    ("held", "backups", "fact"),
    [
        (HELD, (archived("a", None),), "a does not hold volume connect_cache"),
        (HELD, (archived("a", FILES, OLD),), "90.0 h old, over 24 h"),
        (
            HELD,
            (archived("full", FILES, OLD), archived("a", replace(FILES, members=0))),
            "a holds nothing of connect_cache: .* is full of 90.0 h ago",
        ),
        (
            replace(HELD, **KEYS),
            (archived("a", replace(FILES, keys=0)),),
            "a holds nothing of connect_cache: .*no proven backup holds more",
        ),
    ],
)
def test_a_volume_without_such_an_archive_is_not_emptied(
    held: HeldFact, backups: tuple[BackupFact, ...], fact: str
) -> None:
    """In none, in an old one, or in one of an empty state."""
    with pytest.raises(NotProven, match=fact):
        volumes(held, *backups)


@pytest.mark.parametrize(
    ("held", "full", "empty"),
    [
        (replace(HELD, members=0), FILES, replace(FILES, members=0)),
        (replace(HELD, redis="id", keys=0, lasting=0), replace(FILES, keys=7), replace(FILES, keys=0)),
    ],
    ids=["files", "redis"],
)
def test_a_volume_that_is_empty_now_was_lost(held: HeldFact, full: ArchiveFact, empty: ArchiveFact) -> None:
    """The newest proven backup that has something of it counts, however old."""
    found = volumes(held, archived("full", full, OLD), archived("empty", empty))
    assert (found.backup.name, found.lost) == ("full", True)
    assert found.said == (
        "connect_cache is already lost (it is empty now): this rests on the newest proven backup full of 90.0 h ago; "
        "what was written since then is in no backup"
    )


def test_a_volume_that_nobody_looked_into_is_not_emptied() -> None:
    """Not observed is not empty."""
    with pytest.raises(NotObserved, match="what volume connect_cache holds now is not known"):
        proof_for_data(builders.healthy(), 24, "volumes", (CACHE,))


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.floats(0, 200)), max_size=5),
    st.integers(0, 3),
)
def test_never_on_less_than_the_promise(made: list[tuple[bool, int, float]], now: int) -> None:
    """Whatever backups there are: a proven one with rows; young where there are rows now."""
    backups = tuple(
        builders.backup(name=str(n), proven=proven, rows={"main/public.users": rows}, age_seconds=age * 3600)
        for n, (proven, rows, age) in enumerate(made)
    )
    facts = builders.healthy(databases=(builders.database(rows={"public.users": now}),), backups=backups, expected={})
    try:
        found = proof(facts)
    except NotProven:
        return
    assert found.backup.proven
    assert found.backup.rows["main/public.users"] > 0
    assert found.lost == (now == 0)
    if now:
        assert found.backup.age_seconds <= 24 * 3600
        assert found.backup == [b for b in backups if b.proven][-1]
    else:
        assert found.backup == [b for b in backups if b.proven and b.rows["main/public.users"]][-1]


OTHER = {"databases": (builders.database(rows={"public.orders": 3}),)}
DOWN = {"databases": (builders.database(reachable=False, error="refused"),)}


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"backups": ()}, "no proven backup; 0 unproven"),
        ({"backups": (backup("a", age=OLD),)}, "90.0 h old, over 24 h"),
        ({"backups": (backup("a", age=-4000),)}, "dated in the future"),
        (OTHER, "lacks rows of public.orders, which has 3 now"),
        (DOWN, "database main cannot be held against .*: refused"),
    ],
)
def test_a_reset_of_code_needs_a_fresh_proof_too(changes: dict[str, Any], fact: str) -> None:
    """It touches no data, and still wants it held: the night it goes wrong is not the night to find out."""
    with pytest.raises(NotProven, match=fact):
        fresh_proof(builders.healthy(**changes), 24)


def test_newest_proven_backup_is_the_base() -> None:
    """Of a reset that touches no data too: not a newer unproven one."""
    older, newer = builders.backup(name="older"), builders.backup(name="newer", proven=False)
    assert fresh_proof(builders.healthy(backups=(older, newer)), 24).name == "older"
