"""Roles and tablespaces: into the backup as SQL; roles out of it again."""

from __future__ import annotations

from typing import Any

from drillbook.act.backup import opened, room
from drillbook.act.client_tools import client_tools
from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded
from drillbook.act.pg_restore import dsn
from drillbook.decide.plan import Step
from drillbook.errors import RunbookError
from drillbook.observe.data import maintenance
from drillbook.observe.role_facts import role_facts
from drillbook.vault.manifest import ServerEntry

SYSTEM = "pg_"
RESTRICT_KEY = "drillbook"


@verb("backup.roles")
@guarded
def dump_roles(step: Step, context: Context) -> dict[str, Any]:
    """One server's roles into `roles/KEY.sql`, passwords where we may read them; its tablespaces into a file beside.

    Tablespaces are paths on the server's disks, which another machine has not: a person makes them, no restore does.
    """
    backup, key = opened(context), str(step.args["key"])
    (backup.folder / "roles").mkdir(mode=0o700, exist_ok=True)
    relative, words = f"roles/{key}.sql", tuple(step.args["words"])
    names, spaces = role_names(context, key), tablespaces(context, key)
    with room(context):
        _dumpall(step, context, words, relative)
        if spaces:
            _dumpall(step, context, ("--tablespaces-only",), f"roles/{key}.tablespaces.sql")
    facts = step.args["server"]
    passwords = "--no-role-passwords" not in words
    with maintenance(context.target, key) as connection:
        seen = role_facts(connection, passwords)
    backup.servers[key] = ServerEntry(
        version=facts["version"], user=facts["bootstrap_user"], image_id=facts["image_id"],
        image_ref=facts["image_ref"], system_identifier=facts["system_identifier"], preload=facts["preload"],
        roles=relative, role_names=names, role_passwords=passwords, role_facts=seen, tablespaces=spaces,
    )  # fmt: skip
    return {"roles": len(names), "passwords": passwords, "tablespaces": len(spaces)}


def _dumpall(step: Step, context: Context, words: tuple[str, ...], relative: str) -> None:
    folder, key = opened(context).folder, str(step.args["key"])
    with client_tools(context.target, key, folder, context.folder.name, int(step.args["major"])) as tools:
        own = (*words, "-l", dsn(context.target.databases[key].dbname), "-f", tools.path(relative))
        # older minor releases know no --restrict-key, and write no random token that it would fix
        if not tools.succeeds("pg_dumpall", *own, "--restrict-key", RESTRICT_KEY, timeout=step.timeout_seconds):
            tools.run("pg_dumpall", *own, timeout=step.timeout_seconds)
    (folder / relative).chmod(0o600)


def tablespaces(context: Context, key: str) -> tuple[str, ...]:
    """The server's tablespaces beyond its own two."""
    with maintenance(context.target, key) as connection:
        rows = connection.execute("SELECT spcname FROM pg_tablespace WHERE spcname !~ '^pg_' ORDER BY 1").fetchall()
    return tuple(str(row[0]) for row in rows)


def role_names(context: Context, key: str) -> tuple[str, ...]:
    """The roles of the server of *key*, without PostgreSQL's own."""
    with maintenance(context.target, key) as connection:
        rows = connection.execute("SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1").fetchall()
    return tuple(str(row[0]) for row in rows)


def without_role(script: str, role: str) -> str:
    """The roles' script without the line that makes *role*, for a server that was born with it."""
    lines = {f"CREATE ROLE {role};", f"CREATE ROLE {_quoted(role)};"}
    return "\n".join(line for line in script.split("\n") if line not in lines)


def only_roles(script: str, roles: tuple[str, ...]) -> str:
    """The lines of the roles' script that make and set *roles*, and give them memberships.

    Raises:
        RunbookError: a role's name has a line break in it, which the script cannot be read past.
    """
    if any("\n" in role for role in roles):
        raise RunbookError("a role's name has a line break in it", "make that role by hand, then run this again")
    names = {name for role in roles for name in (role, _quoted(role))}
    starts = tuple(f"{verb_} ROLE {name}{end}" for name in names for verb_, end in (("CREATE", ";"), ("ALTER", " ")))
    ends = tuple(f" TO {name}{end}" for name in names for end in (";", " "))
    kept = [
        line
        for line in script.split("\n")
        if line.startswith(starts) or (line.startswith("GRANT ") and any(end in line for end in ends))
    ]
    return "\n".join(kept)


def _quoted(role: str) -> str:
    doubled = role.replace('"', '""')
    return f'"{doubled}"'
