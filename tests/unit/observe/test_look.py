"""The look of a diagnosis at a database: it holds nobody up, and says what it could not see."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import psycopg
import pytest
from postgres import writer
from psycopg import sql

from drillbook.act.cluster import Cluster
from drillbook.errors import DatabaseDown, EngineDown
from drillbook.observe import server, tables
from drillbook.observe.database import database_fact
from drillbook.observe.facts import DatabaseFact
from drillbook.target import Target, parse_target

MIGRATING_SECONDS = 3.0
"""How long a look may take while another session holds tables."""


@pytest.fixture
def db(postgres_server: Cluster, database: str) -> psycopg.Connection:
    """A writing session in the test's own database."""
    return writer(postgres_server, database)


@pytest.fixture
def migration(postgres_server: Cluster, database: str) -> psycopg.Connection:
    """Another writing session."""
    return writer(postgres_server, database)


def look(target: Target) -> DatabaseFact:
    fact = database_fact(target, "main")
    assert (fact.reachable, fact.asked, fact.error) == (True, True, "")
    return fact


def asking(target: Target, **changes: str) -> Target:
    """The same target with another user or database."""
    place = target.databases["main"].model_copy(update=changes)
    return target.model_copy(update={"databases": {"main": place}})


def timed(target: Target) -> tuple[DatabaseFact, float]:
    begun = time.monotonic()
    return look(target), time.monotonic() - begun


def test_everything_of_a_small_database_is_told(db: psycopg.Connection, target: Target, database: str) -> None:
    """Rows exactly, columns, indexes, used sequences, connections, size, and which database of which server it is."""
    db.execute("CREATE TABLE t (id serial PRIMARY KEY, v text UNIQUE); CREATE INDEX t_v ON t (v)")
    db.execute("CREATE TABLE empty (id serial); INSERT INTO t (v) VALUES ('a'), ('b')")
    db.execute("CREATE TEMP TABLE mine (a int)")
    fact = look(target)
    assert (fact.dbname, fact.rows) == (database, {"public.empty": 0, "public.t": 2})
    assert fact.columns == {"public.t.id": "integer", "public.t.v": "text", "public.empty.id": "integer"}
    assert fact.indexes == ("index public.t_v on public.t",)
    assert fact.sequences == {"public.t_id_seq": 2}
    assert fact.oid.isdigit()
    assert fact.system_identifier.isdigit()
    assert 2 <= fact.connections < fact.max_connections == int(db.execute("SHOW max_connections").fetchone()[0])
    assert fact.bytes > 1_000_000
    assert (fact.estimated, fact.unread) == ((), {})


def test_server_tells_where_its_files_lie(db: psycopg.Connection, target: Target) -> None:
    """Its data directory and its tablespaces; who may not ask for the first is told the rest, and nothing fails."""
    db.execute("DROP ROLE IF EXISTS looker; CREATE ROLE looker LOGIN")
    [(directory,)] = db.execute("SHOW data_directory").fetchall()
    assert (look(target).data_directory, look(target).tablespaces) == (directory, {})
    assert look(asking(target, user="looker")).data_directory == ""
    db.execute("GRANT pg_read_all_settings TO looker")
    assert look(asking(target, user="looker")).data_directory == directory
    db.execute("SET allow_in_place_tablespaces = on; DROP ROLE looker")
    db.execute("CREATE TABLESPACE inplace LOCATION ''")
    try:
        assert look(target).tablespaces == {}, "it lies in the data directory"
    finally:
        db.execute("DROP TABLESPACE inplace")


def test_tables_that_a_migration_holds_are_left_alone(
    db: psycopg.Connection, migration: psycopg.Connection, target: Target
) -> None:
    """Forty tables under ACCESS EXCLUSIVE take the look no longer than its patience; the rest is read."""
    for number in range(40):
        db.execute(f"CREATE TABLE held{number} (id serial, v int)")
    db.execute("CREATE TABLE free (id int); INSERT INTO free VALUES (1)")
    with migration.transaction():
        for number in range(40):
            migration.execute(f"ALTER TABLE held{number} ADD COLUMN w int")
        fact, seconds = timed(target)
    assert seconds < MIGRATING_SECONDS
    assert fact.rows == {"public.free": 1}
    assert len(fact.unread) == 40
    [why] = set(fact.unread.values())
    assert why == f"locked by session {migration.info.backend_pid} (ACCESS EXCLUSIVE)"
    assert fact.columns["public.held7.v"] == "integer"


def test_a_migration_that_waits_is_not_queued_behind(
    db: psycopg.Connection, migration: psycopg.Connection, target: Target, postgres_server: Cluster, database: str
) -> None:
    """A reader holds the table, a migration waits for it: whoever asks now would wait behind both."""
    db.execute("CREATE TABLE t (id int); CREATE TABLE free (id int)")
    reader = writer(postgres_server, database)
    reader.autocommit = False
    reader.execute("SELECT * FROM t")
    waiting = threading.Thread(target=migration.execute, args=("ALTER TABLE t ADD COLUMN v int",))
    waiting.start()
    try:
        _until(db, "SELECT count(*) = 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted")
        fact, seconds = timed(target)
    finally:
        reader.close()
        waiting.join()
    assert seconds < MIGRATING_SECONDS
    assert (set(fact.rows), set(fact.unread)) == ({"public.free"}, {"public.t"})


def _until(db: psycopg.Connection, query: str) -> None:
    for _ in range(100):
        if db.execute(query.encode()).fetchone()[0]:
            return
        time.sleep(0.05)
    pytest.fail(f"never true: {query}")


def test_a_lock_that_is_given_back_at_once_hides_nothing(
    db: psycopg.Connection, migration: psycopg.Connection, target: Target
) -> None:
    """Autovacuum and a quick migration hold a table for a moment: it is asked again and read."""
    db.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
    migration.autocommit = False
    migration.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
    threading.Timer(0.2, migration.rollback).start()
    assert look(target).rows == {"public.t": 1}


def test_our_own_locks_end_with_each_count(
    db: psycopg.Connection, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the second table is counted a migration gets the first one: no transaction spans the look."""
    db.execute("CREATE TABLE a (id int); CREATE TABLE b (id int)")
    free = []
    counted = tables._counted

    def counting(connection: psycopg.Connection, relation: tables.Relation, *rest: object) -> None:
        counted(connection, relation, *rest)
        db.execute(f"SET lock_timeout = '200ms'; ALTER TABLE {relation.table} ADD COLUMN later int")
        free.append(relation.table)

    monkeypatch.setattr(tables, "_counted", counting)
    look(target)
    assert sorted(free) == ["a", "b"]


def test_every_statement_of_the_look_is_bounded_and_cannot_write(target: Target) -> None:
    """Timeouts are the session's own, whatever the server's configuration says; its name tells who it is."""
    with server.looking(target, "main") as connection:
        told = {
            name: connection.execute(f"SHOW {name}".encode()).fetchone()[0]
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout",
                         "default_transaction_read_only", "application_name")
        }  # fmt: skip
        assert told == {
            "statement_timeout": "2s", "lock_timeout": "500ms", "idle_in_transaction_session_timeout": "5s",
            "default_transaction_read_only": "on", "application_name": "drillbook",
        }  # fmt: skip
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("CREATE TABLE public.t (v int)")
        begun = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(30)")
        assert time.monotonic() - begun < 4


def test_a_backups_session_keeps_its_long_timeout(target: Target) -> None:
    """Digests of great tables take long: only the look is short."""
    with server.connect(target, "main") as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("1h",)
        assert connection.execute("SHOW lock_timeout").fetchone() == ("0",)


def test_a_server_that_stops_answering_is_cut_off(postgres_server: Cluster, target: Target) -> None:
    """A paused container answers neither us nor its own timeouts; the look still ends."""
    with server.looking(target, "main", seconds=0.5) as connection:
        pid = connection.info.backend_pid
        os.kill(pid, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
            assert time.monotonic() - begun < 3
        finally:
            os.kill(pid, signal.SIGCONT)


def test_a_session_that_is_ended_midway_is_a_fact(
    db: psycopg.Connection, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server was shut down while we looked: unreachable, with the reason, and no traceback."""
    db.execute("CREATE TABLE a (id int)")

    def ended(connection: psycopg.Connection, *_: object) -> None:
        db.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        connection.execute("SELECT 1")

    monkeypatch.setattr(tables, "_sizes", ended)
    fact = database_fact(target, "main")
    assert (fact.reachable, fact.asked) == (False, True)
    assert "terminating connection due to administrator command" in fact.error


def test_great_tables_are_estimated_and_an_empty_one_never(
    db: psycopg.Connection, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Analysed or not, an estimate is near the truth, and at least 1 for a single row; 0 means none."""
    monkeypatch.setattr(tables, "COUNTED_BYTES", 0)
    monkeypatch.setattr(tables, "SAMPLED_BYTES", 512 * 1024)  # of 900 KB: half of the truth is six sigma off
    db.execute("CREATE TABLE known (id int, t text) WITH (autovacuum_enabled = off)")
    db.execute("CREATE TABLE never (LIKE known); CREATE TABLE one (LIKE known); CREATE TABLE none (LIKE known)")
    db.execute("CREATE TABLE emptied (LIKE known); INSERT INTO emptied SELECT i FROM generate_series(1, 1000) AS i")
    db.execute("ANALYZE emptied; DELETE FROM emptied")
    for name in ("known", "never"):
        db.execute(f"ALTER TABLE {name} SET (autovacuum_enabled = off)")
        db.execute(f"INSERT INTO {name} SELECT i, 'row ' || i FROM generate_series(1, 20000) AS i")
    db.execute("ANALYZE known; INSERT INTO known SELECT i, 'row ' || i FROM generate_series(1, 20000) AS i")
    db.execute("INSERT INTO one VALUES (1)")
    fact = look(target)
    assert fact.rows["public.known"] == pytest.approx(40_000, rel=0.1)
    assert fact.rows["public.never"] == pytest.approx(20_000, rel=0.5)
    assert fact.rows["public.one"] >= 1
    assert (fact.rows["public.none"], fact.rows["public.emptied"]) == (0, 0)
    assert set(fact.estimated) == {"public.known", "public.never", "public.one"}


def test_when_time_is_up_tables_are_estimated_then_left(
    db: psycopg.Connection, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand tables do not make a look endless: what was not asked says so."""
    db.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
    monkeypatch.setattr(tables, "COUNT_SECONDS", -1.0)
    fact = look(target)
    assert fact.rows == {}
    assert fact.unread["public.t"].startswith("not asked")
    monkeypatch.setattr(tables, "COUNT_SECONDS", 0.0)
    monkeypatch.setattr(time, "monotonic", lambda: 7.0)
    monkeypatch.setattr(tables, "COUNTED_BYTES", -1)
    assert look(target).estimated == ("public.t",)


def test_a_count_that_takes_too_long_becomes_an_estimate(
    db: psycopg.Connection, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table whose count runs into the statement timeout is estimated, not lost."""
    db.execute("CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 500); ANALYZE t")
    monkeypatch.setattr(server, "LOOKING", {**server.LOOKING, "statement_timeout": "200ms"})
    monkeypatch.setattr(tables, "count_query", lambda s, t: sql.SQL("SELECT pg_sleep(30)").format())
    fact = look(target)
    assert (fact.rows, fact.estimated) == ({"public.t": 500}, ("public.t",))


def test_a_table_dropped_midway_and_one_not_allowed_are_told_apart(
    db: psycopg.Connection, postgres_server: Cluster, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither ends the look; both say why they were not read."""
    db.execute("CREATE TABLE gone (id int); CREATE TABLE secret (id int); CREATE TABLE t (id int)")
    db.execute("DROP ROLE IF EXISTS looker; CREATE ROLE looker LOGIN; GRANT SELECT ON gone, t TO looker")
    sizes = tables._sizes

    def dropping(connection: psycopg.Connection, found: list[tables.Relation]) -> dict[int, int]:
        seen = sizes(connection, found)
        db.execute("DROP TABLE gone")
        return seen

    monkeypatch.setattr(tables, "_sizes", dropping)
    fact = look(asking(target, user="looker"))
    db.execute("DROP OWNED BY looker; DROP ROLE looker")
    assert fact.rows == {"public.t": 0}
    assert fact.unread == {
        "public.gone": "gone since the catalog was read",
        "public.secret": "the target's user may not read it",
    }
    assert fact.system_identifier == "" or fact.system_identifier.isdigit()
    assert fact.connections >= 2


def test_partitioned_foreign_and_odd_tables(db: psycopg.Connection, target: Target) -> None:
    """A parent stores no rows of its own but is there; any name is a name."""
    db.execute("CREATE TABLE p (k int) PARTITION BY LIST (k); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)")
    db.execute("CREATE INDEX p_k ON p (k); INSERT INTO p VALUES (1); CREATE UNLOGGED TABLE u (a int)")
    db.execute('CREATE SCHEMA "select"; CREATE TABLE "select"."O""dd\nna\'me %s {} ü" ("Col %s" int)')
    fact = look(target)
    odd = "select.O\"dd\nna'me %s {} ü"
    assert fact.rows == {odd: 0, "public.p1": 1, "public.u": 0}
    assert (fact.rowless, fact.parts) == (("public.p",), {"public.p1": "public.p"})
    assert fact.columns[f"{odd}.Col %s"] == "integer"
    assert fact.indexes == ("index public.p_k on public.p",)


def test_an_index_that_is_not_valid_is_none(db: psycopg.Connection, target: Target) -> None:
    """CREATE INDEX CONCURRENTLY that failed, or is still at work, leaves what nobody uses."""
    db.execute("CREATE TABLE t (v int); INSERT INTO t VALUES (1), (1)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        db.execute("CREATE UNIQUE INDEX CONCURRENTLY broken ON t (v)")
    assert look(target).indexes == ()


def test_a_catalog_that_is_held_is_told_and_nothing_is_guessed(
    db: psycopg.Connection, migration: psycopg.Connection, target: Target
) -> None:
    """It answers, but its catalog is locked: no table is called missing."""
    db.execute("CREATE TABLE t (v int)")
    with server.looking(target, "main") as warm, migration.transaction():
        warm.execute("SELECT count(*) FROM pg_index")
        migration.execute("LOCK TABLE pg_index IN ACCESS EXCLUSIVE MODE")
        begun = time.monotonic()
        fact = database_fact(target, "main")
        assert time.monotonic() - begun < MIGRATING_SECONDS + server.LOOK_CONNECT_SECONDS
    assert fact.error
    assert fact.rows == {}


def test_a_database_that_is_down_or_absent_is_a_fact(target: Target, tmp_path: Path) -> None:
    """Unreachable, with the reason; a password stands nowhere in it."""
    (tmp_path / "password").write_text("hunter2")
    raw = {"host": "127.0.0.1", "port": 1, "dbname": "x", "user": "y", "password": "file:password"}
    gone = parse_target({"name": "gone", "databases": {"main": raw}}, tmp_path / "t.yaml")
    fact = database_fact(gone, "main")
    assert (fact.reachable, fact.asked) == (False, True)
    assert "does not answer" in fact.error
    assert "hunter2" not in repr(fact)
    assert "no_such_database" in database_fact(asking(target, dbname="no_such_database"), "main").error


def test_what_we_had_no_means_to_ask_is_not_called_down(
    tmp_path: Path, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password file that is not there, or an engine that does not answer, says nothing of the database."""
    raw = {"host": "127.0.0.1", "dbname": "x", "user": "y", "password": "file:nowhere"}
    mute = database_fact(parse_target({"name": "mute", "databases": {"main": raw}}, tmp_path / "t.yaml"), "main")
    assert (mute.reachable, mute.asked) == (False, False)

    def engineless(*_: object) -> None:
        raise EngineDown("the container engine does not answer")

    monkeypatch.setattr(server, "place", engineless)
    assert database_fact(target, "main").asked is False

    def stopped(*_: object) -> None:
        raise DatabaseDown("the container of service postgres is not running")

    monkeypatch.setattr(server, "place", stopped)
    fact = database_fact(target, "main")
    assert (fact.asked, fact.error) == (True, "the container of service postgres is not running")
