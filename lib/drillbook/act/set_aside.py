"""Set a database aside: renamed and marked, with an empty one of its kind in its place, at one stroke."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

from drillbook.act import settings
from drillbook.act.executor import Context, verb
from drillbook.act.switch import comment_of, exists, oid, reopen, swap, writer
from drillbook.decide.plan import Step
from drillbook.errors import RunbookError
from drillbook.observe import catalog_sql, database, marks
from drillbook.observe.kept import ours
from drillbook.observe.marks import Mark
from drillbook.observe.server import READING, one, place, server_version, session
from drillbook.target import Target
from drillbook.vault.content import DatabaseContent


@verb("database.set_aside")
def set_aside(step: Step, context: Context) -> Mapping[str, Any]:
    """Rename the database to `aside`, marked as kept, and an empty one of its owner, locale and settings to its name.

    Whenever it was cut, a second time goes on from what is there; what is done is not done again.

    Raises:
        RunbookError: there is no such database, something else is called so, or somebody does not leave.
    """
    key, aside, name = str(step.args["key"]), str(step.args["aside"]), step.subject
    target = context.target
    with writer(target, key) as connection:
        reopen(connection, (name,), target)
        kept = _is_kept(connection, target, aside)
        if kept and exists(connection, name):
            return {"database": name, "aside": aside, "oid": oid(connection, aside), "seen": "done before this"}
        if not kept and not exists(connection, name):
            raise RunbookError(f"there is no database {name}", "04-restore makes it: drillbook run restore")
    model = aside if kept else name
    own = _own(target, key, model)
    _make(step, context, own)
    pairs = ((str(step.args["fresh"]), name),) if kept else ((name, aside), (str(step.args["fresh"]), name))
    comment = own.settings.get("comment", "")
    comments = {name: comment, aside: _mark("kept", aside, step, context).over(comment)}
    swap(target, key, pairs, comments)
    with writer(target, key) as connection:
        return {"database": name, "aside": aside, "oid": oid(connection, aside), "empty_oid": oid(connection, name)}


def _is_kept(connection: psycopg.Connection, target: Target, aside: str) -> bool:
    """Whether *aside* is there, set aside by us.

    Raises:
        RunbookError: it is there, and is somebody else's.
    """
    if not exists(connection, aside):
        return False
    if not ours(marks.read(comment_of(connection, aside)), aside, target):
        fact = f"a database {aside} is there already, and no run for {target.name} kept it"
        raise RunbookError(fact, f"see what {aside} holds; rename it if it is to stay, then plan again")
    return True


def _mark(state: marks.State, name: str, step: Step, context: Context) -> Mark:
    return Mark(state, name, context.target.name, context.folder.name, str(step.args["backup"]))


def _own(target: Target, key: str, model: str) -> DatabaseContent:
    """What belongs to the database *model* itself, without what is in it, and without our mark."""
    with session(place(target, key, dbname=model), READING) as connection:
        rows = connection.execute(catalog_sql.SETTINGS).fetchall()
        found = {str(name): str(value) for name, value in rows}
        found["comment"] = marks.without(found.get("comment", ""))
        grants = {what: how for what, how in database.grants(connection).items() if what == "database"}
        return DatabaseContent(
            database=model, server_version=server_version(connection), algorithm="", tables=(), settings=found,
            grants=grants,
        )  # fmt: skip


def _make(step: Step, context: Context, own: DatabaseContent) -> None:
    """The empty database, as *own* has it, under the name that it has until the swap, marked as made by us.

    Raises:
        RunbookError: a database of that name is there, and something is in it.
    """
    key, fresh = str(step.args["key"]), str(step.args["fresh"])
    with writer(context.target, key) as connection:
        if not exists(connection, fresh):
            settings.create(connection, fresh, own)
        elif not _is_bare(context.target, key, fresh):
            fact = f"a database {fresh} is there already, and is not empty"
            raise RunbookError(fact, f"see what {fresh} holds; rename it if it is to stay, then run this again")
        comment = _mark("made", fresh, step, context).over(own.settings["comment"])
        marked = own.model_copy(update={"settings": {**own.settings, "comment": comment}})
        settings.apply(connection, fresh, marked)


def _is_bare(target: Target, key: str, name: str) -> bool:
    with writer(target, key, name) as connection:
        return one(connection, "SELECT count(*) FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'p')") == "0"
