"""A database with something of every kind is backed up and proven; and whatever of it is lost turns a check red."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from mutations import MUTATIONS
from odd import fill
from postgres import running, writer
from psycopg import sql
from rounds import resign, take_backup, take_drill

from drillbook.act.cluster import Cluster
from drillbook.decide.compare import compare
from drillbook.observe import binaries
from drillbook.observe.database import content, contents
from drillbook.observe.server import PINNED, Place, session
from drillbook.target import Target, parse_target
from drillbook.vault.catalog import Vault
from drillbook.vault.content import DatabaseContent

pytestmark = pytest.mark.proofs

NAME = "odd=base 'q\" x"
MAJORS = sorted({found.major for found in binaries.installed(binaries.SERVER)})


def aimed(server: Cluster, folder: Path, *names: str) -> Target:
    """A target without a stack: these databases of *server*."""
    place = {"host": str(server.folder), "user": "keeper"}
    databases = {f"db{number}": {**place, "dbname": name} for number, name in enumerate(names)}
    raw = {"name": "odd", "databases": databases, "backup": {"vault": str(folder / "vault")}}
    return parse_target(raw, folder / "odd.yaml")


@pytest.fixture(scope="module")
def odd_server() -> Iterator[Cluster]:
    """A server of the newest installed version with the odd database `odd`."""
    with running(binaries.installed(binaries.SERVER)[-1]) as server:
        with writer(server, "postgres") as connection:
            connection.execute("CREATE DATABASE odd")
        fill(server, "odd")
        yield server


@pytest.fixture(scope="module")
def whole(odd_server: Cluster, tmp_path_factory: pytest.TempPathFactory) -> DatabaseContent:
    """What the odd database holds before anything is changed."""
    return contents(aimed(odd_server, tmp_path_factory.mktemp("odd"), "odd"))["db0"]


@pytest.mark.parametrize("major", MAJORS)
def test_a_database_with_something_of_every_kind_is_proven(major: int, tmp_path: Path) -> None:
    """Under an odd name, with settings and grants of its own, beside one that has no table at all.

    Every version that is installed here; PostgreSQL 15 also in a container: tests/drills/sandbox/test_odd_database.py.
    """
    found = next(b for b in binaries.installed(binaries.SERVER) if b.major == major)
    with running(found) as server:
        own(server)
        target = aimed(server, tmp_path, NAME, "bare")
        taken = take_backup(target)
        result = take_drill(target, taken)
    assert [check for check in result["checks"] if check["verdict"] != "pass"] == []
    assert Vault.of(target).get(taken.name).verdict == "proven"
    bare = taken.whole().databases["db1"].content
    assert (bare.tables, bare.is_empty) == ((), True)
    kinds = taken.whole().databases["db0"].content.counts()
    assert len(kinds) >= 29, kinds


def own(server: Cluster) -> None:
    """Two databases: one with everything and what belongs to a database itself, and one with nothing in it."""
    name, role = sql.Identifier(NAME), sql.Identifier('o\'neil:"q"')
    with writer(server, "postgres") as connection:
        connection.execute("CREATE DATABASE bare")
        connection.execute(sql.SQL("CREATE DATABASE {} CONNECTION LIMIT 77").format(name))
        fill(server, NAME.replace("'", "\\'"))
        for said in (
            "ALTER DATABASE {d} SET search_path = \"$user\", public, 'odd, schema'",
            "ALTER DATABASE {d} SET my.own = 'it''s'",
            "ALTER ROLE {r} IN DATABASE {d} SET work_mem = '9MB'", "COMMENT ON DATABASE {d} IS 'ünï\n''q'''",
            "GRANT CREATE ON DATABASE {d} TO {r}", "REVOKE CONNECT ON DATABASE {d} FROM PUBLIC",
        ):  # fmt: skip
            connection.execute(sql.SQL(said).format(d=name, r=role))


def red(server: Cluster, whole: DatabaseContent, statement: str) -> dict[str, str]:
    """The checks that do not pass once *statement* was carried out; nothing of it stays."""
    with session(Place(str(server.folder), server.port, "keeper", "odd"), PINNED) as connection:
        connection.execute("SET LOCAL search_path = public")
        connection.execute(statement.encode())
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE; SET LOCAL search_path = pg_catalog")
        seen = content(connection, "odd", "in this transaction")
        connection.rollback()
    found = compare(whole, seen)
    return {e.id.removeprefix("odd:"): e.verdict for e in found if e.verdict != "pass"}


def test_nothing_is_red_where_nothing_was_changed(odd_server: Cluster, whole: DatabaseContent) -> None:
    """The comparison of the odd database with itself passes in everything."""
    assert red(odd_server, whole, "SELECT") == {}


@pytest.mark.parametrize(("statement", "check"), MUTATIONS, ids=[said[:60] for said, _ in MUTATIONS])
def test_whatever_is_lost_or_changed_turns_its_check_red(
    odd_server: Cluster, whole: DatabaseContent, statement: str, check: str
) -> None:
    """One statement, applied where a restore would have been: the check that belongs to it fails."""
    assert red(odd_server, whole, statement).get(check) == "fail"


DATABASE = [
    ("ALTER DATABASE {} SET work_mem = '6MB'", "settings"),
    ("ALTER DATABASE {} CONNECTION LIMIT 3", "settings"),
    ("ALTER DATABASE {} OWNER TO plain", "settings"),
    ("ALTER ROLE plain IN DATABASE {} SET work_mem = '5MB'", "settings"),
    ("COMMENT ON DATABASE {} IS 'another'", "settings"),
    ("REVOKE CONNECT ON DATABASE {} FROM PUBLIC", "grants"),
]


@pytest.mark.parametrize(("statement", "check"), DATABASE)
def test_what_belongs_to_the_database_itself_is_compared(
    odd_server: Cluster, whole: DatabaseContent, statement: str, check: str
) -> None:
    """Its settings, owner, comment, connection limit and grants."""
    assert red(odd_server, whole, statement.format("odd")).get(check) == "fail"


def test_an_extension_that_is_missing_or_elsewhere_turns_red(odd_server: Cluster, whole: DatabaseContent) -> None:
    """By its version, and by the schema that it lies in."""
    name = next(name for name in whole.extensions if name != "plpgsql")
    assert red(odd_server, whole, f'drop extension "{name}" cascade')["extensions"] == "fail"
    assert red(odd_server, whole, f'alter extension "{name}" set schema public')["schema:extension"] == "fail"


ROLES = [
    ("ALTER ROLE plain SUPERUSER", "plain"), ("ALTER ROLE \"odd Role\" NOLOGIN", '"odd Role"'),
    ("ALTER ROLE plain PASSWORD 'another'", "plain password"), ("ALTER ROLE wörker INHERIT", '"wörker"'),
    ("REVOKE plain FROM wörker", '"wörker" in plain'), ("GRANT plain TO \"odd Role\"", '"odd Role" in plain'),
    ("REVOKE ADMIN OPTION FOR \"o'neil:\"\"q\"\"\" FROM \"odd Role\"", '"odd Role" in "o\'neil:""q"""'),
    ("ALTER ROLE \"odd Role\" RESET work_mem", '"odd Role"'), ("CREATE ROLE more", "more"),
    ("COMMENT ON ROLE plain IS NULL", "plain"), ("ALTER ROLE \"odd Role\" VALID UNTIL 'infinity'", '"odd Role"'),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "role"), ROLES)
def test_a_role_that_may_do_other_things_is_told(odd_server: Cluster, statement: str, role: str) -> None:
    """Attributes, passwords, settings and memberships, all of them by name."""
    from drillbook.observe.role_facts import differing_roles, role_facts

    with writer(odd_server, "odd") as connection, connection.transaction(force_rollback=True):
        before = role_facts(connection, passwords=True)
        assert differing_roles(before, before, same_major=True) == []
        connection.execute(statement.encode())
        assert role in differing_roles(before, role_facts(connection, passwords=True), same_major=True)


def test_another_major_version_knows_other_options_of_a_membership() -> None:
    """They are not held against each other; that the membership is there is."""
    from drillbook.observe.role_facts import differing_roles

    old, new = {"a": "login", "a in b": "member"}, {"a": "login", "a in b": 'member {"set_option": true}'}
    assert differing_roles(old, new, same_major=False) == []
    assert differing_roles(old, new, same_major=True) == ["a in b"]
    assert differing_roles(old, {"a": "login"}, same_major=False) == ["a in b"]


def test_a_role_that_was_changed_in_the_backup_fails_the_drill(
    postgres_server: Cluster, database: str, target: Target
) -> None:
    """A script of roles that makes another superuser restores without a word."""
    role = f"r_{uuid4().hex[:8]}"
    with writer(postgres_server, database) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN")
        try:
            taken = take_backup(target)
        finally:
            connection.execute(f"DROP ROLE {role}")
    file = taken.folder / taken.whole().servers["main"].roles
    file.write_text(
        file.read_text().replace(f"ALTER ROLE {role} WITH NOSUPERUSER", f"ALTER ROLE {role} WITH SUPERUSER")
    )
    resign(taken.folder)
    from drillbook.errors import CheckFailed

    with pytest.raises(CheckFailed, match=f"main:roles: roles differ: {role}"):
        take_drill(target, Vault.of(target).get(taken.name))
