"""What a content digest must and must not see, on a real server."""

from __future__ import annotations

import psycopg
import pytest
from postgres import writer

from drillbook.act.cluster import Cluster
from drillbook.errors import DatabaseDown, RunbookError
from drillbook.observe.database import connect, content, contents, is_empty, row_counts
from drillbook.observe.digest import query
from drillbook.observe.row_hash import TEXT, Column
from drillbook.observe.server import server_version, system_identifier
from drillbook.target import Target, parse_target
from drillbook.vault.content import DatabaseContent


@pytest.fixture
def db(postgres_server: Cluster, database: str) -> psycopg.Connection:
    """A writing session in the test's own database."""
    return writer(postgres_server, database)


def look(target: Target) -> DatabaseContent:
    return contents(target)["main"]


def sums(target: Target) -> dict[str, tuple[int, str | None]]:
    return {table.name: (table.rows, table.sum64) for table in look(target).tables}


DIFFERENT = [
    ("numeric", "1.0", "1.00"),
    ("float8", "0.0", "'-0'"),
    ("float4", "0.1", "0.10000001"),
    ("interval", "'24h'", "'1 day'"),
    ("timetz", "'10:00+00'", "'12:00+02'"),
    ("json", """'{"a":1}'""", """'{"a": 1}'"""),
    ("jsonb", """'{"a":1}'""", """'{"a":1.0}'"""),
    ("numeric[]", "'{1.0}'", "'{1.00}'"),
    ("char(5)", "'ab'", "'abc'"),
    ("bpchar", "'ab'", "'ab  '"),
    ("text", "''", "NULL"),
    ("text", "'a'", "'A'"),
    ("bytea", "'\\x00'", "'\\x0000'"),
    ("inet", "'10.0.0.1/32'", "'10.0.0.1/24'"),
    ("numrange", "'[1,2)'", "'[1.0,2)'"),
    ("point", "'(0,0)'", "'(-0,0)'"),
    ("bool", "true", "NULL"),
    ("timestamptz", "'2025-10-13 02:00:00.000001+00'", "'2025-10-13 02:00:00+00'"),
    ("tsvector", "'a:1'", "'a:2'"),
    ("bit(2)", "'01'", "'10'"),
]


@pytest.mark.parametrize(("kind", "one", "other"), DIFFERENT)
def test_what_postgresql_calls_equal_or_nearly_so_is_told_apart(
    db: psycopg.Connection, target: Target, kind: str, one: str, other: str
) -> None:
    """A value that a restore changed, be it only in scale, sign or blanks, changes the digest."""
    db.execute(f"CREATE TABLE a (v {kind}); CREATE TABLE b (v {kind})")
    db.execute(f"INSERT INTO a VALUES ({one}); INSERT INTO b VALUES ({other})")
    seen = sums(target)
    assert seen["public.a"] != seen["public.b"]


def test_enums_domains_composites_and_xmlless_types_have_a_digest(db: psycopg.Connection, target: Target) -> None:
    """Types without a hash of their own are hashed as text."""
    db.execute("CREATE TYPE mood AS ENUM ('x', 'y'); CREATE DOMAIN d AS numeric; CREATE TYPE c AS (a int, b text)")
    db.execute("CREATE TABLE t (m mood, d d, c c)")
    db.execute("INSERT INTO t VALUES ('x', 1.0, (1, 'a'))")
    before = sums(target)["public.t"]
    db.execute("UPDATE t SET m = 'y'")
    assert sums(target)["public.t"] != before


def test_the_order_of_rows_does_not_count_but_their_number_does(db: psycopg.Connection, target: Target) -> None:
    """Two equal rows do not cancel out, and a table read backwards is the same table."""
    db.execute("CREATE TABLE a (v int); CREATE TABLE b (v int); CREATE TABLE c (v int)")
    db.execute("INSERT INTO a VALUES (1), (2), (2); INSERT INTO b VALUES (2), (1), (2); INSERT INTO c VALUES (1)")
    seen = sums(target)
    assert seen["public.a"] == seen["public.b"]
    assert seen["public.a"][1] != seen["public.c"][1]


def test_rows_that_swap_the_values_of_one_column_are_seen(db: psycopg.Connection, target: Target) -> None:
    """The sum of bare record hashes misses most swaps; ours must miss none."""
    for number in range(40):
        a, b = number, -number - 1
        db.execute(f"CREATE TABLE l{number} (k int, v text); CREATE TABLE r{number} (k int, v text)")
        db.execute(f"INSERT INTO l{number} VALUES ({a}, 'x{a}'), ({b}, 'y{b}')")
        db.execute(f"INSERT INTO r{number} VALUES ({b}, 'x{a}'), ({a}, 'y{b}')")
    seen = sums(target)
    assert [n for n in range(40) if seen[f"public.l{n}"] == seen[f"public.r{n}"]] == []


def test_odd_names_are_quoted(db: psycopg.Connection, target: Target) -> None:
    """Quotes, line breaks, blanks, keywords and other alphabets in names are names."""
    db.execute('CREATE SCHEMA "select"')
    db.execute('CREATE TABLE "select"."o""dd\nna\'me %s ü" ("col"" {} \n" int, "from" text)')
    db.execute('INSERT INTO "select"."o""dd\nna\'me %s ü" VALUES (1, \'x\')')
    assert row_counts(connect(target, "main")) == {"select.o\"dd\nna'me %s ü": 1}
    assert sums(target)["select.o\"dd\nna'me %s ü"][0] == 1


def test_tables_without_rows_and_without_columns_are_there(db: psycopg.Connection, target: Target) -> None:
    """An empty table is a fact; a table without columns still has rows."""
    db.execute("CREATE TABLE empty (v int); CREATE TABLE bare (); INSERT INTO bare DEFAULT VALUES")
    assert {name: rows for name, (rows, _) in sums(target).items()} == {"public.empty": 0, "public.bare": 1}


def test_partitions_and_children_are_counted_once_each(db: psycopg.Connection, target: Target) -> None:
    """A row belongs to the table that stores it; a partitioned table stores none."""
    db.execute("CREATE TABLE p (k int) PARTITION BY LIST (k)")
    db.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p DEFAULT")
    db.execute("CREATE TABLE parent (k int); CREATE TABLE child (c int) INHERITS (parent)")
    db.execute("INSERT INTO p VALUES (1), (2), (3); INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2, 3)")
    rows = {name.removeprefix("public."): number for name, number in row_counts(connect(target, "main")).items()}
    assert rows == {"p1": 1, "p2": 2, "parent": 1, "child": 1}
    assert look(target).counts()["table"] == 5


def test_generated_and_identity_columns_count(db: psycopg.Connection, target: Target) -> None:
    """A stored generated column is data; an identity column's sequence says what it must reach."""
    db.execute("CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, v int, w int GENERATED ALWAYS AS (v * 2) STORED)")
    db.execute("INSERT INTO t (v) VALUES (1), (2)")
    [sequence] = look(target).sequences
    assert (sequence.last_value, sequence.column_extreme) == (2, 2)


def test_the_schema_is_read_as_definitions(db: psycopg.Connection, target: Target) -> None:
    """Indexes include those of primary keys; a constraint that was never validated says so."""
    db.execute("CREATE TABLE a (id int PRIMARY KEY, v int); CREATE INDEX a_v ON a (v)")
    db.execute("CREATE TABLE b (a int REFERENCES a); ALTER TABLE b ADD CONSTRAINT plus CHECK (a > 0) NOT VALID")
    seen = look(target)
    assert {kind: seen.counts()[kind] for kind in ("table", "index", "foreign_key")} == {
        "table": 2, "index": 2, "foreign_key": 1,
    }  # fmt: skip
    assert seen.schema_objects["constraint:public.b.plus"].endswith("NOT VALID (unvalidated)")


def test_the_servers_own_mark_on_columns_is_no_part_of_the_schema(db: psycopg.Connection, target: Target) -> None:
    """Debian's 17.12 gives each table a random `pg_attver`, which no restore reproduces; other options count."""
    db.execute("CREATE TABLE a (v int, w int); ALTER TABLE a ALTER w SET (n_distinct = 5)")
    before = look(target).schema_objects
    db.execute("SET allow_system_table_mods = on")
    marked = "UPDATE pg_attribute SET attoptions = ARRAY['pg_attver=4711'] || coalesce(attoptions, '{}')"
    db.execute(f"{marked} WHERE attrelid = 'a'::regclass AND attnum > 0".encode())
    assert look(target).schema_objects == before
    assert before["column:public.a.v"] == "integer"
    assert before["column:public.a.w"] == "integer {n_distinct=5}"


def test_grants_owners_and_settings_of_the_database_are_read(
    db: psycopg.Connection, database: str, target: Target
) -> None:
    """An ACL that only says what the default says is null; another one lists who may do what."""
    db.execute("CREATE TABLE a (v int); CREATE TABLE b (v int); GRANT SELECT ON b TO PUBLIC; GRANT ALL ON a TO keeper")
    db.execute(f"ALTER DATABASE {database} SET work_mem = '5MB'")
    seen = look(target)
    assert seen.grants["table public.a"] == '{"acl": null, "owner": "keeper"}'
    assert '["", "SELECT", false]' in seen.grants["table public.b"]
    assert seen.settings["set::work_mem"] == "5MB"


def test_large_objects_are_counted_and_hashed(db: psycopg.Connection, target: Target) -> None:
    """Also across the slice's border of 4 MiB, where only the last byte differs."""
    db.execute("SELECT lo_from_bytea(4711, repeat('x', 4194305)::bytea)")
    before = look(target).large_objects
    db.execute("SELECT lo_put(4711, 4194304, 'y')")
    assert before[0] == look(target).large_objects[0] == 1
    assert before != look(target).large_objects


def test_servers_before_14_hash_text(db: psycopg.Connection) -> None:
    """The other algorithm runs too, and sees scale."""
    db.execute("CREATE TABLE a (v numeric); INSERT INTO a VALUES (1.0)")
    first = db.execute(query("public", "a", [Column("v", 1700)], TEXT)).fetchone()
    db.execute("UPDATE a SET v = 1.00")
    assert db.execute(query("public", "a", [Column("v", 1700)], TEXT)).fetchone() != first


def test_an_empty_database_is_empty_until_its_first_row(db: psycopg.Connection, target: Target) -> None:
    """Tables alone are not data."""
    db.execute("CREATE TABLE a (v int)")
    assert is_empty(connect(target, "main"))
    db.execute("INSERT INTO a VALUES (1)")
    assert not is_empty(connect(target, "main"))


def test_reading_sessions_cannot_write(target: Target) -> None:
    """observe/ changes nothing, and the server holds it to that."""
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), connect(target, "main") as connection:
        connection.execute("CREATE TABLE public.t (v int)")


def test_a_server_tells_its_version_and_its_identity(target: Target) -> None:
    """Both go into the manifest."""
    with connect(target, "main") as connection:
        assert server_version(connection)[:2].isdigit()
        assert system_identifier(connection).isdigit()


def test_a_database_that_is_down_is_told_with_a_hint(target: Target, tmp_path) -> None:
    """The fact names the place, the hint what to look at."""
    gone = parse_target(
        {"name": "gone", "databases": {"main": {"host": str(tmp_path), "dbname": "x", "user": "y"}}},
        tmp_path / "t.yaml",
    )
    with pytest.raises(DatabaseDown, match="does not answer") as caught:
        contents(gone)
    assert caught.value.hint


def test_a_table_that_may_not_be_read_is_no_pass(db: psycopg.Connection, target: Target) -> None:
    """A user without rights gets an error, never a content with holes in it."""
    db.execute("CREATE TABLE secret (v int)")
    with connect(target, "main") as connection:
        db.execute("DROP ROLE IF EXISTS nobody; CREATE ROLE nobody")
        connection.execute("SET ROLE nobody")
        connection.commit()
        with pytest.raises(RunbookError, match="cannot be read whole"):
            content(connection, "x")
    db.execute("DROP ROLE nobody")


def test_a_long_comment_and_setting_of_the_database_are_read_whole(
    db: psycopg.Connection, target: Target, database: str
) -> None:
    """63 bytes are a name's limit, and not a text's."""
    path = ", ".join(f"schema_number_{n}" for n in range(9))
    db.execute(
        f"COMMENT ON DATABASE \"{database}\" IS '{'long ' * 40}'; ALTER DATABASE \"{database}\" SET x.y = '{path}'"
    )
    settings = look(target).settings
    assert settings["comment"] == "long " * 40
    assert settings["set::x.y"] == path
