"""What differs between a backup and what was restored from it, and how it is told."""

from __future__ import annotations

from drillbook.decide.compare import compare
from drillbook.decide.evidence import Evidence
from drillbook.vault.content import DatabaseContent, SequenceState, TableDigest


def content(**changes: object) -> DatabaseContent:
    given: dict[str, object] = {
        "database": "connect", "server_version": "16.14", "algorithm": "record64-v1",
        "tables": (TableDigest(schema_name="public", table="users", rows=10, sum64="42"),),
        "sequences": (SequenceState(schema_name="public", sequence="users_id_seq", last_value=10, column_extreme=10),),
        "schema_objects": {"table:public.users": "r", "constraint:public.users.plus": "CHECK (id > 0)"},
        "grants": {"table public.users": "{}"}, "extensions": {"plpgsql": "1.0"}, "settings": {"owner": "connect"},
    }  # fmt: skip
    return DatabaseContent.model_validate({**given, **changes})


def wrong(expected: DatabaseContent, observed: DatabaseContent) -> list[tuple[str, str]]:
    return [(e.id.removeprefix("connect:"), e.verdict) for e in compare(expected, observed) if e.verdict != "pass"]


def test_equal_contents_pass_in_everything() -> None:
    """One evidence for each table, kind and sequence, all of them pass."""
    found = compare(content(), content())
    assert all(isinstance(e, Evidence) and e.verdict == "pass" for e in found)
    assert {"connect:table:public.users", "connect:grants", "connect:sequence:public.users_id_seq"} <= {
        e.id for e in found
    }


def test_a_lost_row_a_changed_row_and_a_lost_table_fail() -> None:
    """Each names its table."""
    for table in ({"rows": 9, "sum64": "42"}, {"rows": 10, "sum64": "43"}):
        seen = content(tables=({"schema_name": "public", "table": "users", **table},))
        assert wrong(content(), seen) == [("table:public.users", "fail")]
    assert wrong(content(), content(tables=())) == [("table:public.users", "fail")]


def test_a_table_that_was_not_hashed_is_unknown() -> None:
    """Equal counts are no proof of equal rows."""
    seen = content(tables=({"schema_name": "public", "table": "users", "rows": 10, "sum64": None},))
    assert wrong(content(), seen) == [("table:public.users", "unknown")]


def test_digests_of_different_algorithms_are_not_compared() -> None:
    """They say nothing about each other; rows still do."""
    assert wrong(content(), content(algorithm="text64-v1")) == [("table:public.users", "unknown")]


def test_a_constraint_that_was_not_validated_fails() -> None:
    """It is there, but it promises less."""
    objects = {"table:public.users": "r", "constraint:public.users.plus": "CHECK (id > 0) NOT VALID (unvalidated)"}
    assert wrong(content(), content(schema_objects=objects)) == [
        ("schema:constraint", "fail"),
        ("constraints", "fail"),
    ]


def test_another_major_version_may_word_a_definition_otherwise() -> None:
    """Then it is unknown, while a missing object still fails."""
    reworded = {"table:public.users": "r", "constraint:public.users.plus": "CHECK ((id > 0))"}
    assert wrong(content(), content(server_version="18.4", schema_objects=reworded)) == [
        ("schema:constraint", "unknown")
    ]
    missing = {"table:public.users": "r"}
    assert wrong(content(), content(server_version="18.4", schema_objects=missing)) == [("schema:constraint", "fail")]


def test_a_sequence_must_have_reached_its_column() -> None:
    """A lower one would hand out a number twice; a higher one only leaves a gap."""
    low, high = (
        content(sequences=({"schema_name": "public", "sequence": "users_id_seq", "last_value": n},)) for n in (9, 12)
    )
    assert wrong(content(), low) == [("sequence:public.users_id_seq", "fail")]
    assert wrong(content(), high) == []


def test_a_descending_sequence_must_be_as_low() -> None:
    """It counts the other way."""
    down = {"schema_name": "public", "sequence": "s", "ascending": False}
    expected = content(sequences=({**down, "last_value": -5, "column_extreme": -7},))
    assert wrong(expected, content(sequences=({**down, "last_value": -6},))) == [("sequence:public.s", "fail")]
    assert wrong(expected, content(sequences=({**down, "last_value": -7},))) == []


def test_grants_extensions_settings_and_large_objects_are_held_against_each_other() -> None:
    """What is missing, differs or is extra is named."""
    seen = content(grants={}, extensions={"plpgsql": "1.1"}, settings={"owner": "postgres"}, large_objects=(1, "7"))
    assert wrong(content(), seen) == [
        ("extensions", "fail"), ("grants", "fail"), ("settings", "fail"), ("large_objects", "fail"),
    ]  # fmt: skip


def test_a_table_that_is_only_counted_is_held_by_its_rows() -> None:
    """A lost row fails, another digest does not: its evidence is called rows, so that nobody takes it for more."""
    users = TableDigest(schema_name="public", table="users", rows=500, sum64="1")
    for rows, sum64, verdict in ((500, None, "pass"), (499, None, "fail")):
        seen = users.model_copy(update={"rows": rows, "sum64": sum64})
        found = {e.id: e.verdict for e in compare(content(tables=(users,)), content(tables=(seen,)), (), {users.name})}
        assert found[f"{content().database}:rows:public.users"] == verdict
        assert f"{content().database}:table:public.users" not in found


def test_a_counted_table_that_is_not_there_fails() -> None:
    """As any other."""
    users = TableDigest(schema_name="public", table="users", rows=0, sum64="0")
    found = {e.id: e.verdict for e in compare(content(tables=(users,)), content(tables=()), (), {users.name})}
    assert found[f"{content().database}:table:public.users"] == "fail"


def test_an_index_that_was_invalid_on_the_source_need_not_come_back() -> None:
    """pg_dump leaves it out; one that is invalid only after the restore fails."""
    key, none = "index:public.users_name", content(schema_objects={})
    whole, broken = (
        content(schema_objects={key: "CREATE INDEX a"}),
        content(schema_objects={key: "CREATE INDEX a INVALID"}),
    )
    assert wrong(broken, none) == []
    assert ("constraints", "fail") in wrong(whole, broken)
    assert wrong(whole, none) == [("schema:index", "fail")]
