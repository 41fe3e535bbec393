"""What a database must have, held against real servers: what is equal must never be called different."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import psycopg
import pytest
from postgres import writer

from drillbook import home
from drillbook.act.cluster import Cluster
from drillbook.decide.drift import Drift, drift
from drillbook.errors import BadTarget
from drillbook.observe import ddl, schema
from drillbook.observe.database import connect, content, database_fact
from drillbook.observe.facts import SchemaFact
from drillbook.observe.schema import held
from drillbook.observe.sql_text import IDENT
from drillbook.target import Target, parse_target

SANDBOX = home.home() / "sandbox" / "connect" / "schema.sql"

ODD = (Path(__file__).parent / "odd.sql").read_text()


@pytest.fixture
def db(postgres_server: Cluster, database: str) -> psycopg.Connection:
    """A writing session in the test's own database."""
    return writer(postgres_server, database)


def without_drift(target: Target, wanted: SchemaFact) -> Drift:
    seen = database_fact(target, "main")
    assert seen.error == ""
    assert set(wanted.tables) == {*seen.rows, *seen.rowless}
    found = drift(seen, wanted)
    assert not found.differs, found
    return found


def run(db: psycopg.Connection, text: str) -> None:
    """Each statement by itself, as psql would: CONCURRENTLY takes no transaction."""
    from drillbook.observe.sql_text import statements

    for statement, _ in statements(text):
        db.execute(statement.encode())


def test_every_column_and_index_of_the_sandbox_is_told_as_the_server_tells_it(
    db: psycopg.Connection, target: Target
) -> None:
    """The practice site's own schema file, loaded into a server, differs from it in nothing, and nothing is skipped."""
    db.execute(SANDBOX.read_bytes())
    wanted, seen = schema.declared(SANDBOX), database_fact(target, "main")
    without_drift(target, wanted)
    assert wanted.columns == {name: kind.replace('"', "") for name, kind in seen.columns.items()}
    assert wanted.indexes == seen.indexes
    assert (len(wanted.tables), len(wanted.columns), len(wanted.indexes)) == (24, 135, 49)


def test_odd_types_and_names_are_told_as_the_server_tells_them(
    db: psycopg.Connection, target: Target, tmp_path: Path
) -> None:
    """Every spelling of a type, quoted and cut names, partitions, inheritance, alterations: no difference."""
    (tmp_path / "odd.sql").write_text(ODD)
    run(db, ODD)
    wanted = schema.declared(tmp_path / "odd.sql")
    found = without_drift(target, wanted)
    mute = {name.rpartition(".")[2] for name, kind in wanted.columns.items() if not kind}
    assert mute == {"az", "cl"}, "left to doubt is only what may be date or the type that is called Date here"
    assert found.compared > 150
    assert not [c for c in wanted.columns if c.startswith(("public.aa_unknown", "public.child"))]


def test_a_dump_of_a_database_is_a_schema_file_for_it(
    postgres_server: Cluster, db: psycopg.Connection, target: Target, tmp_path: Path, database: str
) -> None:
    """What pg_dump prints, with data, meta commands and COPY blocks that hold quotes, declares that very schema."""
    run(db, ODD)
    db.execute(SANDBOX.read_bytes())
    db.execute("CREATE TABLE notes (t text); INSERT INTO notes VALUES ('it''s; CREATE TABLE fake (a int);'), ('$$ \"')")
    program = postgres_server.binaries.program("pg_dump")
    place = ["-h", str(postgres_server.folder), "-p", str(postgres_server.port), "-U", "keeper", database]
    told = subprocess.run([str(program), *place], capture_output=True, check=True)
    (tmp_path / "dump.sql").write_bytes(b"\\restrict abc\n" + told.stdout)
    wanted = schema.declared(tmp_path / "dump.sql")
    assert without_drift(target, wanted).compared > 250


def test_what_prisma_prints_is_read(db: psycopg.Connection, target: Target, tmp_path: Path) -> None:
    """`prisma migrate diff --script`: quoted capitals, comments, enums, constraints inline."""
    script = """-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";

-- CreateEnum
CREATE TYPE "Role" AS ENUM ('USER', 'ADMIN');

-- CreateTable
CREATE TABLE "User" (
    "id" SERIAL NOT NULL,
    "email" VARCHAR(255) NOT NULL,
    "roles" "Role"[] DEFAULT ARRAY['USER']::"Role"[],
    "role" "Role" NOT NULL DEFAULT 'USER',
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "score" DECIMAL(65,30),
    "data" JSONB NOT NULL DEFAULT '{}',

    CONSTRAINT "User_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "_Friends" ("A" INTEGER NOT NULL, "B" INTEGER NOT NULL,
    CONSTRAINT "_Friends_AB_pkey" PRIMARY KEY ("A","B"));

-- CreateIndex
CREATE UNIQUE INDEX "User_email_key" ON "User"("email");

-- AddForeignKey
ALTER TABLE "_Friends" ADD CONSTRAINT "f" FOREIGN KEY ("A") REFERENCES "User"("id") ON DELETE CASCADE ON UPDATE CASCADE;
"""
    (tmp_path / "schema.sql").write_text(script)
    db.execute(script.encode())
    db.execute("CREATE TABLE _prisma_migrations (id text)")
    wanted = schema.declared(tmp_path / "schema.sql")
    found = drift(database_fact(target, "main"), wanted)
    assert (found.differs, found.compared) == (False, 9)
    assert wanted.columns["public.User.role"] == "public.Role"


def test_a_backup_tells_the_schema_as_the_server_does(db: psycopg.Connection, target: Target) -> None:
    """Types are cut out of the manifest's definitions; nothing differs from the server that was backed up."""
    run(db, ODD)
    db.execute(SANDBOX.read_bytes())
    db.execute("ALTER TABLE u ALTER d SET DEFAULT 7, ALTER d SET STATISTICS 10, ALTER d SET (n_distinct = 5)")
    db.execute('CREATE TABLE weird (a text COLLATE "C" DEFAULT \' not null \', "b c" "Mood" NOT NULL)')
    db.execute("ALTER TABLE weird ALTER a SET STORAGE EXTERNAL")
    with connect(target, "main") as connection:
        wanted = held("20250101t000000Z-abcdef", content(connection, "main"))
    seen = database_fact(target, "main")
    found = drift(seen, wanted)
    assert (found.broken, found.unindexed, found.more_columns, found.more_tables) == (False, (), (), ())
    parts = {name for name in seen.columns if name.startswith("public.p1.")}
    assert wanted.columns == {n: kind for n, kind in seen.columns.items() if n not in parts}
    assert "public.p1" not in wanted.tables, "partitions come and go"
    assert wanted.declared is False


def test_differences_are_found_each_by_its_kind(db: psycopg.Connection, target: Target) -> None:
    """A column dropped, one retyped, one added, an index lost, one added, a table added: each is told."""
    db.execute(SANDBOX.read_bytes())
    db.execute("ALTER TABLE users DROP COLUMN settings; ALTER TABLE agencies ALTER code TYPE varchar(10)")
    db.execute("ALTER TABLE events ADD COLUMN hot int; DROP INDEX users_email_key; CREATE INDEX hot_i ON events (hot)")
    db.execute("CREATE TABLE hotfix (a int); CREATE SCHEMA other; CREATE TABLE other.mine (a int)")
    found = drift(database_fact(target, "main"), schema.declared(SANDBOX))
    assert found.missing == ("public.users.settings",)
    assert found.retyped == ("public.agencies.code (character varying(10), not text)",)
    assert found.unindexed == ("unique index public.users_email_key on public.users",)
    assert found.more_tables == ("public.hotfix",)
    assert found.more_columns == ("public.events.hot",)
    assert found.more_indexes == ("index public.hot_i on public.events",)


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("CREATE TABLE users (id int);", ["public.users"]),
        ("create table if not exists public.users (id int);", ["public.users"]),
        ('CREATE TABLE "sales"."Orders" (id int);\n  CREATE TABLE "users"(id int);', ["public.users", "sales.Orders"]),
        ("-- CREATE TABLE old (id int);\nCREATE INDEX i ON users (id);", []),
        ("/* CREATE TABLE old (id int); */ CREATE TABLE new (id int)", ["public.new"]),
        ("INSERT INTO t VALUES ('CREATE TABLE fake (id int);');", []),
        ("SET search_path = app, public; CREATE TABLE t (id int);", ["app.t"]),
        ("CREATE TABLE a (id int; CREATE TABLE b (id no_such_type(1, 'x') weird words);", ["public.a", "public.b"]),
        ("CREATE FOREIGN TABLE f (a int) SERVER s; CREATE TABLE t OF some_type;", ["public.f", "public.t"]),
        ("CREATE TABLE t (a text DEFAULT 'never closed);", ["public.t"]),
        ("CREATE TABLE a (id int); ALTER TABLE a RENAME TO b; DROP TABLE IF EXISTS none;", ["public.b"]),
        ("CREATE TABLE t AS SELECT 1 AS x;", ["public.t"]),
        ("", []),
    ],
)
def test_no_table_is_lost_or_made_up(text: str, tables: list[str]) -> None:
    """Every common spelling is read; a statement that cannot be parsed still names its table."""
    assert sorted(ddl.read(text).tables) == tables


def test_a_long_file_is_read_by_its_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dump of many megabytes names its tables without a parse; their columns are then not held against anything."""
    monkeypatch.setattr("drillbook.observe.sql_text.PARSED_CHARACTERS", 10)
    made = ddl.read("CREATE TABLE a (id int); -- ; CREATE TABLE no (x int);\nCREATE UNIQUE INDEX i ON a (id);")
    assert made.tables == {"public.a": None}
    assert made.lines() == ("unique index public.i on public.a",)


def place(folder: Path, file: str = "") -> Target:
    """A target with one database and a vault in *folder*."""
    where = {"host": str(folder), "dbname": "connect", "user": "connect", "schema_file": file}
    raw = {"name": "embedded", "databases": {"main": where}, "backup": {"vault": "vault"}}
    return parse_target(raw, folder / "target.yaml")


def test_the_schema_file_is_named_as_the_origin(tmp_path: Path) -> None:
    """Whoever declares it is told: the file."""
    (tmp_path / "schema.sql").write_text("create table users (id int)")
    [fact] = schema.expected(place(tmp_path, "schema.sql")).values()
    assert (fact.origin, fact.declared, fact.tables) == ("schema.sql", True, ("public.users",))


def test_an_unreadable_schema_file_is_a_fact(tmp_path: Path) -> None:
    """A schema file that is not there is told by its path; bytes that are no text are read as far as they go."""
    with pytest.raises(BadTarget, match="schema file"):
        schema.expected(place(tmp_path, "gone.sql"))
    (tmp_path / "raw.sql").write_bytes(b"\xff\xfe create table users (id int); create table b (a int);")
    assert "public.b" in schema.expected(place(tmp_path, "raw.sql"))["main"].tables


def test_without_schema_and_backup_nothing_is_expected(tmp_path: Path) -> None:
    """Where neither a schema file nor a backup tells, nothing is expected."""
    assert schema.expected(place(tmp_path)) == {}


@pytest.mark.parametrize(
    ("word", "is_name"),
    [("a", True), ("_x$1", True), ("é", True), ("\U0001f600", True), ('"two words"', True), ("1a", False),
     ("$a", False),
     ("a b", False), ("a-b", False), ("[a]", False), ("`a`", False), ("", False)],
)  # fmt: skip
def test_what_is_a_name_in_sql(word: str, is_name: bool) -> None:
    """As PostgreSQL's scanner has it: a letter, _ or any byte beyond ASCII first; then digits and $ too."""
    assert bool(re.fullmatch(IDENT, word, re.IGNORECASE)) is is_name
