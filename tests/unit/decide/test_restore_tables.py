"""Plans for chosen tables: each statement of the one transaction, and what refuses them."""

from __future__ import annotations

import manifests
import pytest

from drillbook.decide.chosen import Wanted, observed, pair, parts, wanted
from drillbook.decide.plan import Plan
from drillbook.decide.restore import plan_restore
from drillbook.errors import RunbookError
from drillbook.observe.places import ForeignKey, LiveTable, TablesPlace

USERS = LiveTable(
    "public", "users", "r", (("id", "integer", ""), ("name", "character varying(40)", "")),
    (("told", "O"), ("never", "D"), ("always", "A")), (("public.users_id_seq", "id", True),),
)  # fmt: skip
JOBS = LiveTable("public", "jobs", "r", (("id", "integer", ""), ("owner", "integer", "")))
OWNED = ForeignKey("public.jobs", "owned", "FOREIGN KEY (owner) REFERENCES public.users(id)", "an 'owner'")
RELATIONS = ("public.users", "public.jobs", "public.logs", 'public."Logs a"', "public.logs_b")


def plan(*tables: str, live: TablesPlace, **more: str) -> Plan:
    choice: Wanted = wanted("main", list(tables), **more)  # type: ignore[arg-type]
    return plan_restore("connect", manifests.backup(), manifests.facts(tables=live), choice)


def test_whole_plan_for_a_table_that_is_there() -> None:
    """Locked, kept, keys off, triggers off, emptied, filled, compared, triggers and keys on, sequence forward."""
    made = plan("public.users", live=TablesPlace((USERS,), (OWNED,), ("public",), RELATIONS))
    scratch = made.steps[2].subject
    assert [step.verb for step in made.steps[2:]] == [
        "restore.tables_beside", "restore.tables_check", "restore.tables_move", "restore.tables_drop_beside",
        "restore.compare",
    ]  # fmt: skip
    assert scratch.startswith("connect_restored_abc123_")
    move = made.steps[4]
    assert move.sql.split(";\n") == [
        "BEGIN; SET LOCAL lock_timeout = '30s'",
        'LOCK TABLE ONLY "public"."users" IN ACCESS EXCLUSIVE MODE',
        'CREATE SCHEMA "public_before_abc123"',
        'CREATE TABLE "public_before_abc123"."users" AS SELECT "id", "name" FROM ONLY "public"."users"',
        "ALTER TABLE public.jobs DROP CONSTRAINT owned",
        'ALTER TABLE ONLY "public"."users" DISABLE TRIGGER told',
        'ALTER TABLE ONLY "public"."users" DISABLE TRIGGER always',
        'TRUNCATE TABLE ONLY "public"."users"',
        f'COPY "public"."users" FROM {scratch}',
        "-- rows and digests of each, held against the manifest",
        "ALTER TABLE public.jobs ADD CONSTRAINT owned FOREIGN KEY (owner) REFERENCES public.users(id)",
        "COMMENT ON CONSTRAINT owned ON public.jobs IS 'an ''owner'''",
        'ALTER TABLE ONLY "public"."users" ENABLE TRIGGER told',
        'ALTER TABLE ONLY "public"."users" ENABLE ALWAYS TRIGGER always',
        'SELECT setval(q.seqrelid, x.at) FROM pg_sequence AS q, (SELECT max(id) AS at FROM "public"."users") AS x '
        "WHERE q.seqrelid = 'public.users_id_seq'::regclass AND x.at BETWEEN q.seqmin AND q.seqmax "
        "AND x.at > coalesce(pg_sequence_last_value(q.seqrelid), x.at - 1)",
        "COMMIT",
    ]
    assert made.destroys == (
        'rows of public.users (kept in "public_before_abc123"."users")',
        f"database {scratch} (made by this plan from the backup)",
    )
    assert move.recovers == "the rows as they were are in schema public_before_abc123"
    assert made.notes[-1].startswith("the tables are locked for readers and writers")
    assert made.notes[0].endswith("do not come back: public.named")


def test_whole_plan_for_a_table_that_is_gone() -> None:
    """Defined by the backup, filled, then its keys with their comments, and its sequence not behind its rows."""
    move = plan("public.jobs", live=TablesPlace((), (), ("public",), ("public.users",))).steps[4]
    scratch = move.args["beside"]
    assert move.sql.split(";\n") == [
        "BEGIN; SET LOCAL lock_timeout = '30s'",
        f'-- "public"."jobs" as the backup defines it (pg_dump -t of {scratch})',
        f'COPY "public"."jobs" FROM {scratch}',
        "-- rows and digests of each, held against the manifest",
        'ALTER TABLE "public"."jobs" ADD CONSTRAINT "owned" FOREIGN KEY (owner) REFERENCES public.users(id)',
        "COMMENT ON CONSTRAINT \"owned\" ON \"public\".\"jobs\" IS 'with an ''owner'''",
        "COMMENT ON CONSTRAINT \"owned\" ON \"public\".\"jobs\" IS 'with an ''owner'''",
        """SELECT setval('"public"."jobs_id_seq"'::regclass, 12)""",
        "COMMIT",
    ]
    assert move.destroys == ()


def test_the_keys_that_led_to_a_lost_table_come_back() -> None:
    """From tables that are there; not from those that are gone too."""
    there = plan("public.users", live=TablesPlace((), (), (), ("public.jobs",))).steps[4]
    assert 'ADD CONSTRAINT "owned"' in there.sql
    gone = plan("public.users", live=TablesPlace((), (), (), ())).steps[4]
    assert "ADD CONSTRAINT" not in gone.sql


def test_a_partitioned_table_means_its_leaves() -> None:
    """And what is above them is looked at too."""
    key, looked = observed(manifests.manifest(), wanted("main", "public.logs"))
    assert (key, looked) == ("main", (("public", "Logs a"), ("public", "logs_b"), ("public", "logs")))


def test_a_lost_leaf_is_attached_after_it_was_made() -> None:
    """By the bound that the backup has, without its storage options."""
    move = plan("public.Logs a", live=TablesPlace((), (), (), ("public.logs",))).steps[4]
    leaf = '"public"."Logs a"'
    assert move.args["parts"] == [
        [
            f'ALTER TABLE "public"."logs" DETACH PARTITION {leaf}',
            f'ALTER TABLE ONLY "public"."logs" ATTACH PARTITION {leaf} '
            "FOR VALUES FROM ('2025-01-01') TO ('2025-06-01')",
        ]
    ]
    with pytest.raises(RunbookError, match=r"public\.logs is gone with all its parts"):
        plan("public.Logs a", live=TablesPlace((), (), (), ()))
    whole = plan("public.logs", live=TablesPlace((), (), (), ())).steps[4]
    assert whole.args["make"] == ['"public"."logs"', leaf, '"public"."logs_b"']
    assert whole.args["parts"] == []


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ((("id", "integer", ""),), "only the backup has name"),
        ((*USERS.columns, ("age", "integer", "")), "only the live table has age"),
        ((("id", "bigint", ""), USERS.columns[1]), "column id of public.users is now bigint"),
        ((USERS.columns[0], ("name", "character varying", "")), "column name of public.users is now"),
        ((("id", "integer", "s"), USERS.columns[1]), "column id of public.users is now"),
    ],
)
def test_other_columns_are_refused(columns: tuple[tuple[str, str, str], ...], said: str) -> None:
    """The fact names the first, the hint the way around."""
    changed = LiveTable("public", "users", "r", columns)
    with pytest.raises(RunbookError, match=said) as caught:
        plan("public.users", live=TablesPlace((changed,)))
    assert "into=beside" in caught.value.hint


def test_a_database_that_is_not_there_is_restored_whole() -> None:
    """Tables cannot go nowhere."""
    choice = wanted("main", "public.users")
    with pytest.raises(RunbookError, match="database connect is not there"):
        plan_restore("connect", manifests.backup(), manifests.facts(), choice)


def test_beside_ends_before_the_move() -> None:
    """The command for later names the tables; another choice has another database."""
    live = TablesPlace((USERS, JOBS), (OWNED,), ("public",), RELATIONS)
    made = plan("public.users", live=live, into="beside")
    assert made.steps[-2].verb == "restore.tables_check"
    assert "-p databases=main -p tables=public.users -p volumes=none -p into=place" in made.notes[-1]
    assert made.steps[2].subject != plan("public.jobs", live=live).steps[2].subject


def test_names_as_sql_has_them() -> None:
    """Quoted or not, with dots, quotes and brackets."""
    assert parts('public."A ""b"".c".d') == ("public", 'A "b".c', "d")
    assert pair('public."U s"(id) ON DELETE CASCADE') == ("public", "U s")
    assert pair("public.users(id)") == ("public", "users")
