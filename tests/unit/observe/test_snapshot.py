"""The snapshot: what cannot be seen is named, never guessed."""

from __future__ import annotations

from pathlib import Path

import builders
import pytest

from drillbook.errors import BadTarget, RunbookError
from drillbook.observe.snapshot import Unknowns, disk, expected_tables, observe
from drillbook.target import Target, parse_target


def target(folder: Path, schema: str = "") -> Target:
    place = {"host": str(folder), "dbname": "connect", "user": "connect", "schema_file": schema}
    raw = {"name": "embedded", "databases": {"main": place}, "backup": {"vault": "vault"}}
    return parse_target(raw, folder / "target.yaml")


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("CREATE TABLE users (id int);", ("public.users",)),
        ("create table if not exists public.users (id int);", ("public.users",)),
        ('CREATE TABLE "sales"."Orders" (id int);\n  CREATE TABLE "users"(id int);', ("public.users", "sales.Orders")),
        ("-- CREATE TABLE old (id int);\nCREATE INDEX i ON users (id);", ()),
    ],
)
def test_schema_file_names_the_tables_that_must_be_there(tmp_path: Path, sql: str, tables: tuple[str, ...]) -> None:
    """The tables are read from the declared schema file, with their schema, in every common spelling."""
    (tmp_path / "schema.sql").write_text(sql)
    assert expected_tables(target(tmp_path, "schema.sql")) == {"main": tables}


def test_without_schema_and_backup_nothing_is_expected(tmp_path: Path) -> None:
    """Where neither a schema file nor a backup tells, nothing is expected."""
    assert expected_tables(target(tmp_path)) == {}


def test_unreadable_schema_file_is_a_fact(tmp_path: Path) -> None:
    """A schema file that is not there is told by its path."""
    with pytest.raises(BadTarget, match="schema file"):
        expected_tables(target(tmp_path, "gone.sql"))


def test_observation_goes_on_where_parts_cannot_be_seen(tmp_path: Path) -> None:
    """With the database down and the schema file gone, the rest is observed and the reasons are kept."""
    seen = observe(target(tmp_path, "gone.sql"))
    assert not seen.databases[0].reachable
    assert seen.databases[0].error
    assert "cannot be read" in seen.unknown["expected schema"]
    assert (seen.containers, seen.backups) == ((), ())
    assert seen.disks[0].total_bytes > 0


def test_disk_of_a_folder_to_be_made(tmp_path: Path) -> None:
    """The space is that of the file system on which the vault would be."""
    assert disk(tmp_path / "not" / "yet").total_bytes == disk(tmp_path).total_bytes


def test_only_foreseen_errors_are_unknowns() -> None:
    """A foreseen error leaves its fact under the part's name; an unforeseen one is not hidden."""
    unknown = Unknowns()

    def down() -> int:
        raise RunbookError("the engine does not answer")

    assert unknown.attempt("containers", down, 7) == 7
    assert unknown == {"containers": "the engine does not answer"}
    with pytest.raises(ZeroDivisionError):
        unknown.attempt("x", lambda: 1 // 0, 0)


def test_builders_make_whole_snapshots() -> None:
    """The snapshots of these tests are of this target, so that its backups count."""
    assert builders.healthy().identity == builders.target().identity
