"""The odd database on PostgreSQL 15 in a container: backed up by helper containers, proven in a scratch container."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from odd import FILES, PSQL
from rounds import take_backup, take_drill

from drillbook.act.site import Site
from drillbook.target import Target, parse_target

pytestmark = [pytest.mark.docker, pytest.mark.proofs]
ROLES = ("odd Role", 'o\'neil:"q"', "plain", "wörker")


def psql(site: Site, *words: str, said: bytes = b"") -> None:
    argv = site.compose("exec", "-T", "postgres", "psql", "-U", "connect", *PSQL, *words)
    subprocess.run(argv, input=said, check=True, capture_output=True, timeout=120)


@pytest.fixture
def target(healthy: Site, tmp_path: Path) -> Any:
    """Two databases beside the sandbox's own, on its server: the odd one, and one without a table."""
    raw = healthy.target.model_dump(exclude_defaults=True, exclude={"databases", "volumes", "endpoints", "drill"})
    place = healthy.target.databases["main"].model_dump(exclude_defaults=True)
    raw["databases"] = {name[:3]: {**place, "dbname": name, "schema_file": ""} for name in ("odd=base", "bare")}
    raw["backup"] = {"vault": str(tmp_path / "vault")}
    for name in ("odd=base", "bare"):
        psql(healthy, "-d", "postgres", "-c", f'CREATE DATABASE "{name}"')
    for file in FILES:
        psql(healthy, "-d", "dbname='odd=base'", said=file.read_bytes())
    yield parse_target(raw, healthy.target.file)
    # a subscription keeps its database from being dropped
    for said in ("ALTER SUBSCRIPTION far_away DISABLE", "DROP SUBSCRIPTION far_away"):
        psql(healthy, "-d", "dbname='odd=base'", "-c", said)
    for name in ("odd=base", "bare"):
        psql(healthy, "-d", "postgres", "-c", f'DROP DATABASE "{name}" WITH (FORCE)')
    for role in ROLES:
        quoted = role.replace('"', '""')
        psql(healthy, "-d", "postgres", "-c", f'DROP ROLE "{quoted}"')


def test_a_database_with_something_of_every_kind_is_proven_in_a_container(target: Target) -> None:
    """Everything passes: rows, schema, roles, grants, settings, large objects, sequences, extensions."""
    taken = take_backup(target)
    entries = taken.whole().databases
    assert {entry.content.major for entry in entries.values()} == {15}
    assert "hstore" in entries["odd"].content.extensions
    result = take_drill(target, taken)
    assert [check for check in result["checks"] if check["verdict"] != "pass"] == []
