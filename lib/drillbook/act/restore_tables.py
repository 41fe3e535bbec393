"""Restore chosen tables into a database of their own beside the live one, compare them, and drop it in the end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import psycopg

from drillbook.act import settings
from drillbook.act.client_tools import client_tools
from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded
from drillbook.act.pg_restore import dsn
from drillbook.act.restore import begun, chosen, files, marked
from drillbook.act.switch import comment_of, exists, remove, writer
from drillbook.decide.compare import compare_tables
from drillbook.decide.evidence import Evidence
from drillbook.decide.plan import Step
from drillbook.errors import CheckFailed, RunbookError
from drillbook.observe import database, marks
from drillbook.observe.server import READING, place, session
from drillbook.vault.content import DatabaseContent

LEFT_OUT = re.compile(
    r"^\d+; \d+ \d+ (FK CONSTRAINT|MATERIALIZED VIEW DATA|EVENT TRIGGER|PUBLICATION|SUBSCRIPTION"
    r"|COMMENT .*(CONSTRAINT|EVENT TRIGGER|PUBLICATION|SUBSCRIPTION)) "
)
"""What cannot be made where most tables are empty, or would act on more than this database."""


@verb("restore.tables_beside")
@guarded
def restore_tables(step: Step, context: Context) -> Mapping[str, Any]:
    """A database with the backup's whole schema and the rows of the chosen tables alone; a half one is replaced."""
    backup, key, name = chosen(context), str(step.args["key"]), str(step.args["beside"])
    content = backup.whole().databases[key].content
    if not begun(context.target, key, name, content, backup):
        return {"database": name, "restored": "before this"}
    major, label = int(step.args["major"]), context.folder.name
    with client_tools(context.target, key, files(context), label, major) as tools:
        source, words = tools.path(str(step.args["folder"])), ("-d", dsn(name), "--exit-on-error", "--no-tablespaces")
        wait = step.timeout_seconds
        tools.run("pg_restore", *words, "--section=pre-data", source, timeout=wait)
        for schema, tables in _by_schema(step).items():
            data = ("--data-only", "-n", schema, *(word for table in tables for word in ("-t", table)))
            tools.run("pg_restore", *words, *data, source, timeout=wait)
        listed = tools.run("pg_restore", "--list", "--section=post-data", source, timeout=wait).stdout
        kept = "\n".join(line for line in listed.split("\n") if not LEFT_OUT.match(line))
        tools.run("pg_restore", *words, "--section=post-data", "-L", tools.text("list", kept), source, timeout=wait)
    with writer(context.target, key) as connection:
        settings.apply(connection, name, marked(content, name, context))
    return {"database": name, "tables": len(step.args["tables"])}


def _by_schema(step: Step) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for schema, table in step.args["tables"]:
        found.setdefault(schema, []).append(table)
    return found


@verb("restore.tables_check")
@guarded
def check_tables(step: Step, context: Context) -> Mapping[str, Any]:
    """Rows and digests of exactly the chosen tables, beside, held against the manifest.

    Raises:
        CheckFailed: one is not what was backed up; the live database is untouched.
    """
    key, name = str(step.args["key"]), str(step.args["beside"])
    with session(place(context.target, key, dbname=name), READING) as connection:
        found = compared(connection, content_of(context, key), names_of(step))
    context.state["tables"] = found
    all_pass(found, f"the restored {name}")
    return {"database": name, "verdict": "pass", "checks": len(found)}


def content_of(context: Context, key: str) -> DatabaseContent:
    """What the open backup holds of the database *key*."""
    return chosen(context).whole().databases[key].content


def names_of(step: Step) -> list[tuple[str, str]]:
    """Schema and name of the step's tables."""
    return [(str(schema), str(table)) for schema, table in step.args["tables"]]


def compared(
    connection: psycopg.Connection, content: DatabaseContent, names: list[tuple[str, str]]
) -> tuple[Evidence, ...]:
    observed = database.table_digests(connection, names, content.algorithm)
    return compare_tables(content, observed, names)


def all_pass(found: tuple[Evidence, ...], what: str) -> None:
    bad = [evidence for evidence in found if evidence.verdict != "pass"]
    if bad:
        fact = f"{what} is not what was backed up: {bad[0].id}: {bad[0].observed}, expected {bad[0].expected}"
        raise CheckFailed(fact, "the live database is untouched; drill the backup, or choose another",
                          [evidence.as_json() for evidence in bad])  # fmt: skip


@verb("restore.tables_drop_beside")
@guarded
def drop_beside(step: Step, context: Context) -> Mapping[str, Any]:
    """Drop the database that the tables came through: only with our mark, and only while its rows are the backup's."""
    key, name = str(step.args["key"]), str(step.args["beside"])
    with writer(context.target, key) as connection:
        if not exists(connection, name):
            return {"dropped": "before this"}
        mark = marks.read(comment_of(connection, name))
    if mark is None or (mark.name, mark.target) != (name, context.target.name):
        raise RunbookError(f"database {name} does not carry this target's mark", "it stays; see what it is")
    with session(place(context.target, key, dbname=name), READING) as connection:
        found = compared(connection, content_of(context, key), names_of(step))
    if any(evidence.verdict != "pass" for evidence in found):
        return {"kept": name, "why": "someone has changed it since"}
    remove(context.target, key, name)
    return {"dropped": name}
