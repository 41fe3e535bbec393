"""A row's hash: every value in every column of every row counts, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations, product

import psycopg
import pytest
from postgres import writer

from drillbook.act.cluster import Cluster
from drillbook.observe.database import content
from drillbook.observe.digest import algorithm
from drillbook.observe.row_hash import CHAIN, CHAINED, RECORD, TEXT, Column, row_hash
from drillbook.observe.server import PINNED, Place, session
from drillbook.vault.content import TableDigest


@pytest.fixture
def place(postgres_server: Cluster, database: str) -> Place:
    return Place(str(postgres_server.folder), postgres_server.port, "keeper", database)


@pytest.fixture
def db(postgres_server: Cluster, database: str) -> psycopg.Connection:
    """A writing session in the test's own database."""
    return writer(postgres_server, database)


def tables(place: Place, name: str = CHAIN) -> dict[str, TableDigest]:
    with session(place, PINNED) as connection:
        found = content(connection, place.dbname, algorithm=name)
    assert found.algorithm == name
    return {table.table: table for table in found.tables}


def sums(place: Place, db: psycopg.Connection, types: Sequence[str], contents: Iterable[Iterable[str]]) -> list[str]:
    """The digest of a table of each of *contents*, which are rows as SQL values."""
    columns = ", ".join(f"c{number} {kind}" for number, kind in enumerate(types))
    for number, rows in enumerate(contents):
        db.execute(f"CREATE TABLE t{number} ({columns}); INSERT INTO t{number} VALUES {', '.join(rows)}".encode())
    found = tables(place)
    return [str(found[f"t{number}"].sum64) for number in range(len(found))]


SPECIAL = {
    "numeric": "NULL 0 0.0 0.00 1 1.0 10 0.1 -1 'NaN' 'Infinity' '-Infinity' 1e40 16384",
    "float8": "NULL 0 '-0' 1 -1 'NaN' 'Infinity' '-Infinity' 5e-324 0.1 0.10000000000000002",
    "float4": "NULL 0 '-0' 1 'NaN' 'Infinity' '-Infinity' 0.1 0.10000001",
    "bool": "NULL true false",
    "int8": "NULL 0 -1 4294967297 8589934594 -4294967297 9223372036854775807 '-9223372036854775808'",
    "int4": "NULL 0 -1 1 2147483647",
    "int2": "NULL 0 -1 1",
    "text": "NULL '' 'NULL' 'a' 'A'",
    "uuid": "NULL '00000000-0000-0000-0000-000000000000' '00000000-0000-0000-0000-000000000001'",
    "timestamp": "NULL 'epoch' '2000-01-01' 'infinity' '-infinity'",
    "timestamptz": "NULL 'epoch' '2000-01-01' 'infinity' '-infinity'",
    "date": "NULL 'epoch' 'infinity'",
    "json": """NULL '{}' '{"a":1}' '{"a":1.0}' 'null'""",
    "jsonb": """NULL '{}' '{"a":1}' '{"a":1.0}' 'null'""",
    "bytea": r"NULL '' '\x00' '\x0000'",
}


@pytest.mark.parametrize("kind", SPECIAL)
def test_every_value_of_a_type_has_a_hash_of_its_own(place: Place, db: psycopg.Connection, kind: str) -> None:
    """NULL, zero, what only looks like zero, and what a type's own hash function throws together."""
    values = SPECIAL[kind].split(" ")
    found = sums(place, db, [kind], [[f"({value}::{kind})"] for value in values])
    assert len(set(found)) == len(values), dict(zip(values, found, strict=True))


@pytest.mark.parametrize("kind", ["int4", "text", "bool", "numeric", "float8", "timestamptz", "jsonb"])
def test_where_a_null_stands_counts(place: Place, db: psycopg.Connection, kind: str) -> None:
    """Three columns, each NULL or one of a few values: every combination is another row."""
    values = [f"{value}::{kind}" for value in SPECIAL[kind].split(" ")[:4]]
    combinations = list(product(values, repeat=3))
    found = sums(place, db, [kind] * 3, [[f"({', '.join(row)})"] for row in combinations])
    assert len(set(found)) == len(combinations)


TWO = {
    "numeric": ("0", "0.0"), "float8": ("0", "'-0'"), "bool": ("true", "false"), "int4": ("1", "2"), "int8": ("1", "2"),
    "text": ("'a'", "NULL"), "timestamp": ("'2000-01-01'", "'epoch'"), "timestamptz": ("'2000-01-01'", "'epoch'"),
    "bytea": ("'a'", "'b'"), "json": ("'{}'", "'[]'"), "uuid": (f"'{'0' * 32}'", f"'{'1' * 32}'"),
}  # fmt: skip


def test_rows_that_swap_a_value_are_seen_whatever_its_type(place: Place, db: psycopg.Connection) -> None:
    """The sum does not see it where the last function is linear: every pair of types, in both orders, by two values."""
    pairs = list(permutations(TWO, 2)) + [(kind, kind) for kind in TWO]
    for number, (left, right) in enumerate(pairs):
        (a, b), (c, d) = TWO[left], TWO[right]
        for name, (first, second) in {"l": (c, d), "r": (d, c)}.items():
            db.execute(f"CREATE TABLE {name}{number} (x {left}, y {right})".encode())
            db.execute(f"INSERT INTO {name}{number} VALUES ({a}, {first}), ({b}, {second})".encode())
    found = tables(place)
    equal = [pair for n, pair in enumerate(pairs) if found[f"l{n}"].sum64 == found[f"r{n}"].sum64]
    assert equal == []


def test_a_column_that_is_required_hashes_as_one_that_is_not(place: Place, db: psycopg.Connection) -> None:
    """What is left out for speed is not seen in the sum: a constraint is a fact of the schema, not of the rows."""
    values = ", ".join(f"{SPECIAL[kind].split(' ')[1]}::{kind}" for kind in SPECIAL)
    for name, rule in {"a": "", "b": " NOT NULL"}.items():
        db.execute(f"CREATE TABLE {name} ({', '.join(f'{kind}_ {kind}{rule}' for kind in SPECIAL)})".encode())
        db.execute(f"INSERT INTO {name} VALUES ({values})".encode())
    found = tables(place)
    assert found["a"].sum64 == found["b"].sum64
    different = row_hash([Column("x", 23, required=True)], CHAIN) != row_hash([Column("x", 23)], CHAIN)
    assert different, "nothing is left out"


def test_a_rule_that_was_never_validated_promises_nothing(place: Place, db: psycopg.Connection) -> None:
    """NOT NULL NOT VALID lets old NULLs stand; a row with one counts all the same."""
    for number in (1, 2):
        db.execute(f"CREATE TABLE a{number} (k int, v text); INSERT INTO a{number} VALUES ({number}, NULL)".encode())
        db.execute(f"ALTER TABLE a{number} ADD CONSTRAINT later NOT NULL v NOT VALID".encode())
    found = tables(place)
    assert len({found["a1"].sum64, found["a2"].sum64, "0"}) == 3


def test_a_cast_that_somebody_made_is_not_asked(place: Place, db: psycopg.Connection) -> None:
    """An enum may have been given a cast that says the same of every value: the dump writes the values."""
    db.execute("CREATE TYPE mood AS ENUM ('x', 'y')")
    db.execute("CREATE FUNCTION same(mood) RETURNS text IMMUTABLE LANGUAGE sql RETURN 'same'")
    db.execute("CREATE CAST (mood AS text) WITH FUNCTION same(mood)")
    found = sums(place, db, ["mood"], [["('x')"], ["('y')"], ["(NULL)"]])
    assert len(set(found)) == 3


def test_wide_tables_are_hashed_to_their_last_column(place: Place, db: psycopg.Connection) -> None:
    """As many columns as a table can have: those beyond the chain's length count too."""
    number = 1500
    db.execute(f"CREATE TABLE wide ({', '.join(f'c{n:04} int' for n in range(number))})".encode())
    db.execute("INSERT INTO wide DEFAULT VALUES")
    seen = [tables(place)["wide"].sum64]
    for column in (0, CHAINED - 1, CHAINED, number - 1):
        db.execute(f"UPDATE wide SET c{column:04} = 0".encode())
        seen.append(tables(place)["wide"].sum64)
    assert len(set(seen)) == len(seen)


def test_collations_that_forgive_do_not_count(db: psycopg.Connection) -> None:
    """Under a collation in which a = A the bytes are hashed, in a domain as well."""
    for kind in (25, 1043, 4711):
        assert 'COLLATE "C"' in row_hash([Column("v", kind, collated=True)], CHAIN).as_string(db)


def test_a_backup_is_compared_by_the_algorithm_of_its_time(place: Place, db: psycopg.Connection) -> None:
    """Older names keep their formulas; a name that nobody knows gives the server's own."""
    db.execute("CREATE TABLE a (k int, v numeric); INSERT INTO a VALUES (1, 1.0), (2, NULL)")
    by_record = tables(place, RECORD)["a"].sum64
    assert by_record == "-3738959837139280528"
    assert len({by_record, tables(place, TEXT)["a"].sum64, tables(place, CHAIN)["a"].sum64}) == 3
    assert algorithm(16, "nonsense64-v9") == CHAIN
    assert (algorithm(13), algorithm(13, RECORD)) == (TEXT, TEXT)


def test_a_name_stands_for_one_formula(place: Place, db: psycopg.Connection) -> None:
    """The sum of known rows by `chain64-v1` is this number, on every version: a change of it needs a new name."""
    db.execute("CREATE TYPE mood AS ENUM ('x', 'y'); CREATE DOMAIN d AS numeric")
    db.execute(
        "CREATE TABLE a (b bool, f float8, g float4, n numeric, i int, j bigint, k smallint, t text, u uuid,"
        " s timestamp, z timestamptz, d date, x bytea, p jsonb, q char(3), r int[], e mood, o d)"
    )
    db.execute(
        "INSERT INTO a VALUES (true, 0.5, '-0', 1.50, 7, 1::int8 << 40, 3, 'ä', '00000000-0000-0000-0000-000000000007',"
        " '2025-10-13 02:00', '2025-10-13 02:00+00', '2025-10-13', '\\x00ff', '{\"a\": 1.0}', 'q', '{1,2}', 'y', 1.0)"
    )
    db.execute("INSERT INTO a DEFAULT VALUES")
    assert tables(place)["a"].sum64 == "-6024198700234757324"
