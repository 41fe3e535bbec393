"""What pg_restore gets wrong with several jobs, and how it is asked instead."""

from __future__ import annotations

import pytest
from postgres import writer
from rounds import take_backup, take_drill

from drillbook.act.cluster import Cluster
from drillbook.act.pg_restore import dsn, restore
from drillbook.observe.command import Completed
from drillbook.target import Target

ENTRIES = """;
3; 1259 3 TABLE public TRIGGER keeper
4; 2606 4 CONSTRAINT public p p_pkey keeper
5; 2620 5 TRIGGER public p t keeper
6; 2620 6 TRIGGER public p2 t keeper
7; 0 0 COMMENT public TRIGGER t ON p keeper
8; 3466 8 EVENT TRIGGER - watch keeper
9; 0 0 COMMENT - EVENT TRIGGER watch keeper"""


def asked(entries: str) -> list[tuple[tuple[str, ...], list[str]]]:
    """The calls of pg_restore, each with the numbers of the entries that it was given."""
    calls = []

    def pg_restore(*words: str, stdin: str = "") -> Completed:
        calls.append((words, [line.split(";")[0] for line in stdin.splitlines() if line != ";"]))
        return Completed(words, 0, entries, "", 0.0)

    restore(pg_restore, "folder", ("-d", "x"), 4)
    return calls


def test_triggers_go_last_and_one_by_one() -> None:
    """With several jobs a partition's trigger is disabled before it is there; event triggers would see the others."""
    own = ("--exit-on-error", "--no-tablespaces", "-d", "x")
    assert asked(ENTRIES) == [
        (("--list", "folder"), []),
        ((*own, "-j", "4", "-L", "/dev/stdin", "folder"), ["3", "4"]),
        ((*own, "-L", "/dev/stdin", "folder"), ["5", "6", "7", "8", "9"]),
    ]


def test_an_archive_without_triggers_is_restored_in_one_go() -> None:
    """There is nothing to put last."""
    assert [words[-3:] for words, _ in asked(ENTRIES[: ENTRIES.index("5;")])] == [
        ("--list", "folder"),
        ("-j", "4", "folder"),
    ]


@pytest.mark.parametrize(("name", "said"), [("a=b", "dbname='a=b'"), ("it's \\", "dbname='it\\'s \\\\'")])
def test_a_name_stays_a_name(name: str, said: str) -> None:
    """libpq would take `a=b` for a connection string."""
    assert dsn(name) == said


def test_a_trigger_that_is_disabled_on_a_partition_is_proven(
    postgres_server: Cluster, database: str, target: Target
) -> None:
    """`pg_restore -j 2` of this backup ends with `trigger "t" for table "p2" does not exist`."""
    with writer(postgres_server, database) as connection:
        connection.execute(
            "CREATE TABLE p (k int PRIMARY KEY) PARTITION BY LIST (k); CREATE TABLE p1 PARTITION OF p DEFAULT "
            "PARTITION BY LIST (k); CREATE TABLE p2 PARTITION OF p1 DEFAULT;"
            "INSERT INTO p SELECT generate_series(1, 1000);"
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';"
            "CREATE TRIGGER t AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE p2 DISABLE TRIGGER t"
        )
    assert take_drill(target, take_backup(target))["verdict"] == "pass"
