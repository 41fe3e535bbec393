"""A database is set aside at one stroke: there always is one, and whenever a run is killed, nothing is lost."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict

import builders
import psycopg
import pytest
from postgres import writer
from rounds import carry_out, drop_plan, put_back, take_backup, take_drill

from drillbook.act import switch
from drillbook.act.cluster import Cluster
from drillbook.decide.plan import Plan, Step
from drillbook.decide.proof import Proof
from drillbook.decide.reset_data import database_steps
from drillbook.errors import NotProven, RunbookError
from drillbook.observe import marks
from drillbook.observe.database import contents
from drillbook.observe.kept import kept
from drillbook.target import Target, parse_target
from drillbook.vault.catalog import Vault

STAMP = "2025-10-13T02:03:04Z"
AT = "20251013t020304z"
SCHEMA = """
CREATE TABLE users (id int PRIMARY KEY, name text);
INSERT INTO users SELECT n, 'user ' || n FROM generate_series(1, 300) AS n;
COMMENT ON DATABASE {d} IS 'of the shop';
ALTER DATABASE {d} SET work_mem = '6MB';
ALTER DATABASE {d} CONNECTION LIMIT 41;
REVOKE CONNECT ON DATABASE {d} FROM PUBLIC
"""


@pytest.fixture
def db(postgres_server: Cluster, database: str) -> Iterator[psycopg.Connection]:
    with writer(postgres_server, database) as connection:
        connection.execute(SCHEMA.format(d=database))
        yield connection


def step_of(target: Target, stamp: str = STAMP, backup: str = "20251013t010000Z-abc123") -> Step:
    dbname = target.databases["main"].dbname
    facts = builders.healthy(databases=(builders.database(dbname=dbname),))
    [step] = database_steps(target, facts, Proof(builders.backup(name=backup), False, ""), stamp)
    return step


def plan_of(target: Target, *steps: Step) -> Plan:
    return Plan("reset", target.name, target.identity, {}, steps or (step_of(target),))


def at(target: Target, dbname: str) -> Target:
    """The target whose database is *dbname*."""
    place = {**target.databases["main"].model_dump(exclude_defaults=True), "dbname": dbname}
    return parse_target({"name": target.name, "databases": {"main": place}}, target.file)


def rows(target: Target, dbname: str) -> dict[str, tuple[int, str | None]]:
    return {table.name: (table.rows, table.sum64) for table in contents(at(target, dbname))["main"].tables}


def names(server: Cluster, database: str) -> list[str]:
    with writer(server, "postgres") as keeper:
        query = "SELECT datname FROM pg_database WHERE datname LIKE %s AND datallowconn ORDER BY 1"
        return [row[0] for row in keeper.execute(query, (f"{database}%",)).fetchall()]


def test_an_empty_one_of_its_kind_takes_its_place(
    db: psycopg.Connection, target: Target, postgres_server: Cluster, database: str
) -> None:
    """Same owner, locale, settings, grants and comment, no table; the old one is marked; again, nothing changes."""
    before, own = rows(target, database), contents(target)["main"]
    carry_out(target, plan_of(target))
    aside = f"{database}_aside_{AT}"
    assert names(postgres_server, database) == [database, aside]
    assert rows(target, aside) == before
    now = contents(target)["main"]
    assert (now.tables, now.settings, now.grants["database"]) == ((), own.settings, own.grants["database"])
    assert now.settings["set::work_mem"] == "6MB"
    with writer(postgres_server, "postgres") as keeper:
        mark = marks.read(switch.comment_of(keeper, aside))
        assert mark == marks.Mark("kept", aside, target.name, mark.run, "20251013t010000Z-abc123")
        assert marks.without(switch.comment_of(keeper, aside)) == "of the shop"
        keeper.execute(f"ALTER DATABASE \"{database}\" SET work_mem = '7MB'")
    with writer(postgres_server, database) as live:
        live.execute("CREATE TABLE migrated (id int)")
    assert carry_out(target, plan_of(target))[0]["evidence"]["seen"] == "done before this"
    assert "public.migrated" in rows(target, database)
    assert rows(target, aside) == before


def test_the_last_column_brings_it_back(db: psycopg.Connection, target: Target, database: str) -> None:
    """The very command, with the application connected."""
    before = rows(target, database)
    carry_out(target, plan_of(target))
    with psycopg.connect(db.info.dsn):
        subprocess.run(shlex.split(step_of(target).recovers), check=True, capture_output=True, timeout=60)
    assert rows(target, database) == before


def test_only_what_a_proven_backup_holds_is_dropped_later(
    db: psycopg.Connection, target: Target, postgres_server: Cluster, database: str
) -> None:
    """By a plan of its own; one row more than the backup has, and it stays."""
    taken = take_backup(target)
    take_drill(target, taken)
    aside, second = f"{database}_aside_{AT}", f"{database}_aside_20251013t020305z"
    carry_out(target, plan_of(target, step_of(target, backup=taken.name)))
    put_back(target, Vault.of(target).get(taken.name))
    with writer(postgres_server, database) as live:
        live.execute("INSERT INTO users VALUES (301, 'late')")
    carry_out(target, plan_of(target, step_of(target, "2025-10-13T02:03:05Z", taken.name)))
    with pytest.raises(NotProven, match=r"public\.users: 301 rows"):
        drop_plan(target, second)
    carry_out(target, drop_plan(target, aside))
    assert aside not in names(postgres_server, database)
    assert second in names(postgres_server, database)


def test_an_application_that_never_rests_is_put_out(
    db: psycopg.Connection, target: Target, postgres_server: Cluster, database: str
) -> None:
    """Eight clients that connect again at once, and again; who knocks in the very moment knocks once more."""
    over, refused = threading.Event(), []

    def client() -> None:
        while not over.is_set():
            try:
                with writer(postgres_server, database) as connection:
                    connection.execute("SELECT pg_sleep(0.02)")
            except psycopg.OperationalError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        done = carry_out(target, plan_of(target))
    finally:
        over.set()
        for thread in threads:
            thread.join(30)
    assert done[0]["seconds"] < 10
    assert rows(target, database) == {}
    missed = [said for said in refused if "does not exist" in said and "just been dropped or renamed" not in said]
    assert missed == []
    assert not [said for said in refused if "not currently accepting" in said]


def test_who_does_not_leave_is_told_and_nothing_is_renamed(
    db: psycopg.Connection, target: Target, postgres_server: Cluster, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was made meanwhile is ours and empty: the next run uses it, or it is dropped as what holds nothing."""
    before = rows(target, database)
    monkeypatch.setattr(switch, "ENDED", "SELECT count(*) FROM pg_stat_activity WHERE datname = ANY(%s)")
    monkeypatch.setattr(switch, "QUIET_SECONDS", 0)
    with pytest.raises(RunbookError, match="someone is still connected"):
        carry_out(target, plan_of(target))
    fresh = f"{database}_fresh_{AT}"
    assert names(postgres_server, database) == [database, fresh]
    assert rows(target, database) == before
    assert [one.name for one in kept(target)] == [fresh]
    monkeypatch.undo()
    plan = drop_plan(target, fresh)
    assert [step.args["holder"] for step in plan.steps] == ["nothing"]
    carry_out(target, plan)
    assert names(postgres_server, database) == [database]


@pytest.mark.parametrize(("what", "fact"), [("aside", "no run for unit kept it"), ("fresh", "is not empty")])
def test_what_is_somebody_elses_is_left_alone(
    db: psycopg.Connection, target: Target, postgres_server: Cluster, database: str, what: str, fact: str
) -> None:
    """A database that already has the name, and is not ours."""
    taken = str(step_of(target).args[what])
    with writer(postgres_server, "postgres") as keeper:
        keeper.execute(f'CREATE DATABASE "{taken}"')
    with writer(postgres_server, taken) as theirs:
        theirs.execute("CREATE TABLE theirs (id int)")
    before = rows(target, database)
    with pytest.raises(RunbookError, match=fact):
        carry_out(target, plan_of(target))
    assert rows(target, database) == before
    assert rows(target, taken) != {}


def test_a_database_that_is_not_there_is_told(target: Target, postgres_server: Cluster, database: str) -> None:
    """There is nothing to set aside: the restore makes it."""
    gone = at(target, f"{database}_gone")
    with pytest.raises(RunbookError, match="there is no database"):
        carry_out(gone, plan_of(gone))


@pytest.mark.parametrize("left", ["renamed", "made", "shut"])
def test_what_an_odd_cut_left_is_gone_on_from(
    db: psycopg.Connection, target: Target, postgres_server: Cluster, database: str, left: str
) -> None:
    """Set aside with nothing in its place; the empty one there without a mark; the live one shut."""
    before, step = rows(target, database), step_of(target)
    aside = str(step.args["aside"])
    if left == "renamed":
        carry_out(target, plan_of(target))
        with writer(postgres_server, "postgres") as keeper:
            keeper.execute(f'DROP DATABASE "{database}" WITH (FORCE)')
    with writer(postgres_server, "postgres") as keeper:
        if left == "made":
            keeper.execute(f'CREATE DATABASE "{step.args["fresh"]}"')
        if left == "shut":
            keeper.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')
    carry_out(target, plan_of(target))
    assert rows(target, aside) == before
    assert rows(target, database) == {}
    assert names(postgres_server, database) == [database, aside]
    assert contents(target)["main"].settings["comment"] == "of the shop"


KILLED = """
import json, os, signal, sys
from pathlib import Path
sys.path[:0] = json.loads(sys.argv[1])
import psycopg
from drillbook.act import set_aside
from drillbook.act.executor import Context
from drillbook.decide.plan import Step
from drillbook.target import parse_target

real, at, seen = psycopg.Connection.execute, int(sys.argv[3]), []

def execute(self, query, *given, **named):
    text = query if isinstance(query, str) else query.decode() if isinstance(query, bytes) else query.as_string(None)
    writes = not text.startswith(("SELECT", "\\nSELECT", "SHOW", "WITH"))
    count(writes)
    done = real(self, query, *given, **named)
    count(writes)
    return done

def count(writes):
    seen.extend([1] if writes else [])
    if writes and len(seen) == at:
        os.kill(os.getpid(), signal.SIGKILL)

psycopg.Connection.execute = execute
target = parse_target(json.loads(sys.argv[2]), Path("unit.yaml"))
step = Step.from_json(json.loads(sys.argv[4]))
set_aside.set_aside(step, Context(target, Path("killed")))
print("whole")
"""


def killed_at(target: Target, step: Step, moment: int) -> bool:
    """Whether a process that carries out *step* was killed at its *moment*-th writing statement; False: it ended."""
    place = target.databases["main"].model_dump(exclude_defaults=True)
    raw = {"name": target.name, "databases": {"main": place}}
    told = (json.dumps(sys.path), json.dumps(raw), str(moment), json.dumps(asdict(step)))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *told], capture_output=True, text=True, timeout=120, check=False, env=os.environ
    )
    assert done.returncode == -signal.SIGKILL or done.stdout.endswith("whole\n"), done.stderr
    return done.returncode == -signal.SIGKILL


@pytest.mark.proofs
def test_kill_9_before_and_after_each_statement(
    db: psycopg.Connection, target: Target, postgres_server: Cluster, database: str
) -> None:
    """There always is a database that lets everybody in, the rows are in it or in what is kept, and again is enough."""
    before, step, seen = rows(target, database), step_of(target), set()
    aside = str(step.args["aside"])
    for moment in range(1, 100):
        if not killed_at(target, step, moment):
            break
        there = names(postgres_server, database)
        assert database in there
        assert rows(target, aside if aside in there else database) == before
        seen.add(tuple(one.removeprefix(database) for one in there))
        carry_out(target, plan_of(target))
        assert names(postgres_server, database) == [database, aside]
        assert (rows(target, aside), rows(target, database)) == (before, {})
        subprocess.run(shlex.split(step.recovers), check=True, capture_output=True, timeout=60)
        with writer(postgres_server, "postgres") as keeper:
            keeper.execute(f'DROP DATABASE "{step.args["fresh"]}"')
            keeper.execute(f"COMMENT ON DATABASE \"{database}\" IS 'of the shop'")
    assert moment > 16  # create, its limit, comment, grants and setting, two renames and two comments, twice each
    assert seen == {("",), ("", f"_fresh_{AT}")}
