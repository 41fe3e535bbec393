"""What belongs to a database itself: made with it, or put onto it after a restore."""

from __future__ import annotations

import json
from collections.abc import Mapping

import psycopg
from psycopg import sql

from drillbook.vault.content import DatabaseContent

LISTS = frozenset({
    "local_preload_libraries", "search_path", "session_preload_libraries", "temp_tablespaces",
})  # fmt: skip


def create(connection: psycopg.Connection, name: str, content: DatabaseContent) -> None:
    """Make the empty database *name* as the source's was: owner, encoding, locale.

    Raises:
        psycopg.Error: the server does not know the owner or the locale.
    """
    connection.rollback()
    connection.autocommit = True
    connection.execute(creation(name, content.settings))


def creation(name: str, wanted: Mapping[str, str]) -> sql.Composed:
    """The CREATE DATABASE for an empty database with these settings of a content."""
    parts = [
        sql.SQL("CREATE DATABASE {} TEMPLATE template0 OWNER {}").format(
            sql.Identifier(name), sql.Identifier(wanted["owner"])
        ),
        sql.SQL("ENCODING {} LC_COLLATE {} LC_CTYPE {}").format(
            *(sql.Literal(wanted[key]) for key in ("encoding", "collate", "ctype"))
        ),
    ]
    if wanted.get("locale_provider") == "i":
        parts.append(sql.SQL("LOCALE_PROVIDER icu ICU_LOCALE {}").format(sql.Literal(wanted["locale"])))
    if wanted.get("locale_provider") == "b":
        parts.append(sql.SQL("LOCALE_PROVIDER builtin BUILTIN_LOCALE {}").format(sql.Literal(wanted["locale"])))
    return sql.SQL(" ").join(parts)


def apply(connection: psycopg.Connection, name: str, content: DatabaseContent) -> None:
    """Put the database's own grants, settings, comment and connection limit onto *name*, all or none.

    Raises:
        psycopg.Error: a role is not there, or we may not.
    """
    connection.rollback()
    connection.autocommit = True
    with connection.transaction():
        for statement in statements(name, content):
            connection.execute(statement)


def statements(name: str, content: DatabaseContent) -> list[sql.Composed]:
    """The SQL of `apply`, in order."""
    database = sql.Identifier(name)
    found = [
        sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(
            database, sql.Literal(int(content.settings.get("connection_limit", "-1")))
        )
    ]
    comment = content.settings.get("comment") or None
    found.append(sql.SQL("COMMENT ON DATABASE {} IS {}").format(database, sql.Literal(comment)))
    found += _grants(database, json.loads(content.grants.get("database", "{}")))
    for key, value in content.settings.items():
        if key.startswith("set:"):
            role, _, variable = key.removeprefix("set:").rpartition(":")  # a role's name may have colons in it
            found.append(_setting(database, role, variable, value))
    return found


def _grants(database: sql.Identifier, grant: dict[str, object]) -> list[sql.Composed]:
    acl = grant.get("acl")
    if not isinstance(acl, list):
        return []
    owner = sql.Identifier(str(grant["owner"]))
    found = [sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC, {}").format(database, owner)]
    for role, privilege, grantable in acl:
        to = sql.Identifier(role) if role else sql.SQL("PUBLIC")
        option = sql.SQL(" WITH GRANT OPTION" if grantable and role != grant["owner"] else "")
        found.append(sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(_privilege(privilege), database, to, option))
    return found


def _privilege(name: str) -> sql.SQL:
    match name:
        case "CONNECT":
            return sql.SQL("CONNECT")
        case "CREATE":
            return sql.SQL("CREATE")
        case _:
            return sql.SQL("TEMPORARY")


def _setting(database: sql.Identifier, role: str, name: str, value: str) -> sql.Composed:
    """A list setting is stored quoted, element by element, and goes back as it stands."""
    form = sql.SQL(value) if name in LISTS and value else sql.Literal(value)
    variable = sql.SQL(".").join(sql.Identifier(part) for part in name.split("."))
    if role:
        head = sql.SQL("ALTER ROLE {} IN DATABASE {}").format(sql.Identifier(role), database)
    else:
        head = sql.SQL("ALTER DATABASE {}").format(database)
    return sql.SQL("{} SET {} TO {}").format(head, variable, form)
