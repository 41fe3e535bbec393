"""The snapshot: what cannot be seen is named, never guessed."""

from __future__ import annotations

from pathlib import Path

import builders
import pytest

from drillbook.errors import RunbookError
from drillbook.observe.snapshot import observe, with_signs
from drillbook.observe.unknowns import Unknowns
from drillbook.target import Target, parse_target


def target(folder: Path, schema: str = "") -> Target:
    place = {"host": str(folder), "dbname": "connect", "user": "connect", "schema_file": schema}
    raw = {"name": "embedded", "databases": {"main": place}, "backup": {"vault": "vault"}}
    return parse_target(raw, folder / "target.yaml")


def test_observation_goes_on_where_parts_cannot_be_seen(tmp_path: Path) -> None:
    """With the database down and the schema file gone, the rest is observed and the reasons are kept."""
    seen = observe(target(tmp_path, "gone.sql"))
    assert not seen.databases[0].reachable
    assert seen.databases[0].error
    assert "cannot be read" in seen.unknown["expected schema"]
    assert (seen.containers, seen.backups) == ((), ())
    assert seen.disks[0].total_bytes > 0


def test_names_that_cannot_be_asked_for_are_unknown(tmp_path: Path) -> None:
    """With no engine nobody knows who else goes by the project's name; without a stack nobody asks."""
    stack = {"project": "connect", "directory": ".", "docker_host": f"unix://{tmp_path}/none.sock"}
    raw = {"name": "connect", "stack": stack, "backup": {"vault": "vault"}}
    seen = observe(parse_target(raw, tmp_path / "target.yaml"))
    assert "does not answer" in seen.unknown["project name"]
    assert seen.strangers == ()
    assert "project name" not in observe(target(tmp_path)).unknown


def test_a_database_alone_has_no_caches_and_no_signs(tmp_path: Path) -> None:
    """Without a stack there is nothing to rebuild, so nothing warns of it."""
    seen = observe(target(tmp_path))
    assert with_signs(target(tmp_path), seen, 0.0) == seen


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
