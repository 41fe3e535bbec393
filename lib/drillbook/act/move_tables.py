"""Move chosen tables from the database beside into the live one: one transaction, all or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import sql

from drillbook.act.client_tools import client_tools
from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded
from drillbook.act.pg_restore import dsn
from drillbook.act.restore import chosen, files
from drillbook.act.restore_tables import all_pass, compared, content_of, names_of
from drillbook.decide.plan import Step
from drillbook.errors import CheckFailed, StepFailed
from drillbook.observe import database
from drillbook.observe.live_tables import tables_place
from drillbook.observe.marks import Mark
from drillbook.observe.server import PINNED, place, said, session

HINT = "nothing was changed in the live database; see the fact, or restore beside: into=beside"


@verb("restore.tables_move")
@guarded
def move_tables(step: Step, context: Context) -> Mapping[str, Any]:
    """The chosen tables' rows into the live database, in one transaction.

    The rows that were there are kept in the schemas that the plan names, proven
    equal; what came in is compared with the manifest before the COMMIT.

    Raises:
        CheckFailed, StepFailed: it cannot be done; everything is as it was.
    """
    key, scratch = str(step.args["key"]), str(step.args["beside"])
    script = _definitions(step, context)
    with (
        session(place(context.target, key, dbname=scratch), PINNED) as source,
        session(place(context.target, key), PINNED) as live,
    ):
        if _is_done(live, step, context):
            return {"moved": "before this"}
        live.rollback()
        with _told(step), live.transaction():
            _prepare(live, step, context, script)
            for table in tables_place(source, names_of(step)).tables:
                _copy(source, live, table.schema, table.name, [c for c, _, made in table.columns if not made])
            found = compared(live, content_of(context, key), names_of(step))
            all_pass(found, "what came in")
            _each(live, step.args["after"])
    context.state["tables"] = found
    return {"tables": len(found), "kept": sorted({aside for _, _, aside in step.args["kept"]}), "verdict": "pass"}


def _is_done(live: psycopg.Connection, step: Step, context: Context) -> bool:
    """Whether this plan's transaction has been committed already, by a run that was cut."""
    names = names_of(step)
    now = tables_place(live, names)
    asides = {aside for _, _, aside in step.args["kept"]}
    if asides:
        return asides <= set(now.schemas)
    missing = [name for name in names if now.table(*name) is None]
    return not missing and all(
        e.verdict == "pass" for e in compared(live, content_of(context, step.args["key"]), names)
    )


def _prepare(live: psycopg.Connection, step: Step, context: Context, script: str) -> None:
    """Lock, see that all is as the plan saw it, keep the rows aside, and make room for those that come."""
    live.execute(f"SET LOCAL lock_timeout = '{int(step.args['lock_seconds'])}s'".encode())
    live.execute(f"SET LOCAL statement_timeout = '{step.timeout_seconds}s'".encode())
    if step.args["lock"]:
        live.execute(step.args["lock"].encode())
    expected = step.args["expects"]
    observed = [(str(table["schema"]), str(table["name"])) for table in expected["tables"]]
    if tables_place(live, list(dict.fromkeys([*names_of(step), *observed]))).as_json() != expected:
        raise StepFailed("the tables have changed since the plan was made", "plan again; nothing was changed")
    _each(live, step.args["keep"])
    _prove_kept(live, step, context)
    _each(live, step.args["empty"])
    if script:
        live.execute(script.encode())
        _each(live, (attach for _, attach in step.args["parts"]))


def _each(live: psycopg.Connection, statements: Iterable[str]) -> None:
    for statement in statements:
        live.execute(statement.encode())


def _prove_kept(live: psycopg.Connection, step: Step, context: Context) -> None:
    """Mark the schemas, and hold each copy against the rows that it was made of."""
    algorithm = content_of(context, step.args["key"]).algorithm
    for schema, table, aside in step.args["kept"]:
        mark = Mark("kept", aside, context.target.name, context.folder.name, chosen(context).name)
        statement = sql.SQL("COMMENT ON SCHEMA {} IS {}")
        live.execute(statement.format(sql.Identifier(aside), sql.Literal(mark.over(schema))))
        [was] = database.table_digests(live, [(schema, table)], algorithm)
        [copy] = database.table_digests(live, [(aside, table)], algorithm)
        if (was.rows, was.sum64) != (copy.rows, copy.sum64):
            raise StepFailed(f"the copy of {schema}.{table} is not equal to it", HINT)


def _copy(source: psycopg.Connection, live: psycopg.Connection, schema: str, table: str, columns: list[str]) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    relation = sql.Identifier(schema, table)
    out = sql.SQL("COPY (SELECT {} FROM ONLY {}) TO STDOUT").format(names, relation)
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(relation, names)
    if not columns:
        out, into = sql.SQL("COPY {} TO STDOUT").format(relation), sql.SQL("COPY {} FROM STDIN").format(relation)
    with source.cursor().copy(out) as rows, live.cursor().copy(into) as taken:
        for block in rows:
            taken.write(block)


def _definitions(step: Step, context: Context) -> str:
    """The SQL that makes the tables that are gone, as the backup defines them; foreign keys come later."""
    if not step.args["make"]:
        return ""
    backup = chosen(context)
    _stand_alone(step, context)
    entry, key = backup.whole().databases[step.args["key"]], str(step.args["key"])
    with client_tools(context.target, key, files(context), context.folder.name, entry.content.major) as tools:
        words = tuple(word for name in step.args["make"] for word in ("-t", name))
        own = ("-d", dsn(str(step.args["beside"])), "--schema-only", "--no-tablespaces", "-E", "UTF8")
        done = tools.run("pg_dump", *own, *words, timeout=600)
    return re.sub(r"(?m)^\\(un)?restrict \w+$", "", done.stdout)


def _stand_alone(step: Step, context: Context) -> None:
    """Beside, take parts off their partitioned tables that are live, so that each is defined with its own indexes."""
    with session(place(context.target, step.args["key"], dbname=step.args["beside"]), PINNED) as beside:
        beside.autocommit = True
        for detach, _ in step.args["parts"]:
            with suppress(psycopg.errors.UndefinedTable):  # it is off already: an earlier run was cut
                beside.execute(detach.encode())


@contextmanager
def _told(step: Step) -> Iterator[None]:
    """What the server refuses within, told as what it is; the transaction has been rolled back then."""
    try:
        yield
    except psycopg.errors.ForeignKeyViolation as error:
        detail = error.diag.message_detail or said(error)
        fact = f"{error.diag.table_name}: the foreign key {error.diag.constraint_name} would not hold: {detail}"
        raise CheckFailed(fact, "choose the tables that belong together (tables=…), or restore beside: into=beside; "
                          "nothing was changed in the live database") from error  # fmt: skip
    except psycopg.errors.LockNotAvailable as error:
        fact = f"a table is locked by another session for more than {step.args['lock_seconds']} s"
        raise StepFailed(
            fact, "end what holds it (pg_stat_activity), then run this again; nothing was changed"
        ) from error
    except psycopg.Error as error:
        raise StepFailed(f"the tables cannot be moved in: {said(error)} ({error.sqlstate})", HINT) from error
