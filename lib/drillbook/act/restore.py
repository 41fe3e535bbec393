"""Restore databases beside the live ones, compare them with the manifest, and switch them in."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from drillbook.act import pg_restore, roles, settings
from drillbook.act.client_tools import client_tools
from drillbook.act.executor import Context, verb
from drillbook.act.guard import cleanup, finish, guarded
from drillbook.act.opened import opened as opened_files
from drillbook.act.roles import role_names
from drillbook.act.switch import comment_of, exists, oid, remove, reopen, set_comment, swap, writer
from drillbook.decide.compare import compare
from drillbook.decide.evidence import Evidence, overall
from drillbook.decide.plan import Step
from drillbook.errors import CheckFailed, RunbookError, VaultError
from drillbook.observe import database, marks
from drillbook.observe.kept import unmarked
from drillbook.observe.marks import Mark
from drillbook.observe.server import READING, session
from drillbook.observe.server import place as place_of
from drillbook.target import Target
from drillbook.vault import checksum, manifest
from drillbook.vault.catalog import Backup, Vault
from drillbook.vault.content import DatabaseContent
from drillbook.vault.proof import PREFIX

STATE, FILES = "restore", "restore_files"


def files(context: Context) -> Path:
    """The folder with the chosen backup's files."""
    return Path(context.state[FILES])


def chosen(context: Context) -> Backup:
    """The backup that `restore.checksums` opened.

    Raises:
        RunbookError: it has not been opened in this run.
    """
    backup = context.state.get(STATE)
    if not isinstance(backup, Backup):
        raise RunbookError("no backup is open in this run", "run 04-restore from its first step")
    return backup


@verb("restore.checksums")
@guarded
def open_backup(step: Step, context: Context) -> Mapping[str, Any]:
    """Read every file of the backup and hold it against the manifest, before anything is touched.

    Raises:
        VaultError: a file is missing, differs, or is not the backup's.
    """
    backup = Vault.of(context.target).get(str(step.args["backup"]))
    opened = cleanup(context).enter_context(opened_files(context.target, backup))
    wrong = checksum.differences(opened.folder, backup.whole().checksums, (manifest.FILE, PREFIX)) | opened.wrong
    if not backup.intact:
        wrong[manifest.FILE] = "differs from its own checksum"
    if wrong:
        told = "; ".join(f"{name} {what}" for name, what in wrong.items())
        raise VaultError(f"backup {backup.name} is damaged: {told}", "choose another: drillbook backups", wrong)
    context.state[STATE], context.state[FILES] = backup, opened.folder
    return {"backup": backup.name, "verdict": backup.verdict, "files": len(backup.whole().checksums)}


@verb("restore.roles")
@guarded
def restore_roles(step: Step, context: Context) -> Mapping[str, Any]:
    """Make the backup's roles that the server lacks; those that are there stay as they are."""
    backup, key = chosen(context), str(step.args["key"])
    source = backup.whole().servers[str(step.args["source"])]
    missing = tuple(name for name in source.role_names if name not in role_names(context, key))
    if missing:
        script = roles.only_roles((files(context) / source.roles).read_text(), missing)
        with writer(context.target, key) as connection, connection.transaction():
            for line in script.split("\n"):
                if line:
                    connection.execute(line.encode())
    return {"made": list(missing), "there": len(source.role_names) - len(missing)}


@verb("restore.database")
@guarded
def restore_beside(step: Step, context: Context) -> Mapping[str, Any]:
    """The backup's database under its own new name, beside the live one.

    What an earlier, cut restore of the same backup left half done under that
    name is replaced; it carries a mark that says so. A finished one stays.
    """
    backup, key, name = chosen(context), str(step.args["key"]), str(step.args["beside"])
    entry = backup.whole().databases[key]
    with writer(context.target, key) as connection:
        reopen(connection, (name, context.target.databases[key].dbname), context.target)
        switched = not exists(connection, name) and is_switched(connection, step, context)
    if switched or not begun(context.target, key, name, entry.content, backup):
        return {"database": name, "restored": "before this"}
    label, major = context.folder.name, int(step.args["major"])
    with client_tools(context.target, key, files(context), label, major) as tools:
        began = time.monotonic()
        run = partial(tools.run, "pg_restore", timeout=step.timeout_seconds)
        pg_restore.restore(run, tools.path(entry.folder), ("-d", pg_restore.dsn(name)), int(step.args["jobs"]))
        seconds = time.monotonic() - began
    with writer(context.target, key) as connection:
        settings.apply(connection, name, marked(entry.content, name, context))
    return {"database": name, "rows": entry.content.rows, "seconds": round(seconds, 3)}


def begun(target: Target, key: str, name: str, content: DatabaseContent, backup: Backup) -> bool:
    """Make the empty database *name*, marked as under way; False where a finished one is there already.

    A half one of ours is removed first.
    """
    mark = f"drillbook: restore of {backup.name} under way"
    with writer(target, key) as connection:
        if exists(connection, name):
            if comment_of(connection, name) != mark:
                return False
            remove(target, key, name)
        settings.create(connection, name, content)
        set_comment(connection, name, mark)
    return True


def marked(content: DatabaseContent, name: str, context: Context) -> DatabaseContent:
    """*content* whose comment also says that *name* was restored by this run."""
    mark = Mark("restored", name, context.target.name, context.folder.name, chosen(context).name)
    comment = mark.over(content.settings.get("comment", ""))
    return content.model_copy(update={"settings": {**content.settings, "comment": comment}})


def is_switched(connection: psycopg.Connection, step: Step, context: Context) -> bool:
    """Whether this plan's switch has been made already, by a run that was cut.

    The plan chose a free name to keep the old database under: when that name is
    taken now, or when there was no old database and there is one now, it has.
    """
    live, aside = context.target.databases[str(step.args["key"])].dbname, str(step.args["aside"])
    return exists(connection, live) and (not aside or exists(connection, aside))


@verb("restore.check")
@guarded
def check_beside(step: Step, context: Context) -> Mapping[str, Any]:
    """The restored database held against the manifest, before anything is switched.

    Raises:
        CheckFailed: it is not what was backed up; the live database is untouched.
    """
    key, name = str(step.args["key"]), str(step.args["beside"])
    with writer(context.target, key) as connection:
        if not exists(connection, name) and is_switched(connection, step, context):
            return {"switched": "before this; compared live at the end"}
    found = _compared(context, key, name)
    with writer(context.target, key) as connection:
        context.state.setdefault("checked", {})[key] = (oid(connection, name), found)
    verdict = overall(evidence.verdict for evidence in found)
    bad = [evidence for evidence in found if evidence.verdict != "pass"]
    if verdict == "fail":
        worst = next(evidence for evidence in bad if evidence.verdict == "fail")
        raise CheckFailed(
            f"the restored {name} is not what was backed up: {worst.id}: {worst.observed}, expected {worst.expected}",
            "the live database is untouched; drill the backup, or choose another",
            [evidence.as_json() for evidence in bad],
        )
    return {"verdict": verdict, "checks": len(found), "not_passed": [evidence.id for evidence in bad]}


def _compared(context: Context, key: str, name: str) -> tuple[Evidence, ...]:
    entry = chosen(context).whole().databases[key]
    with session(place_of(context.target, key, dbname=name), READING) as connection:
        return compare(entry.content, unmarked(database.content(connection, name, algorithm=entry.content.algorithm)))


@verb("restore.switch")
@guarded
def switch(step: Step, context: Context) -> Mapping[str, Any]:
    """Swap the names in one transaction, with every connection ended; the old one is kept under `aside`.

    Killed at any moment, all is done or nothing, and nobody is shut out.
    """
    key, beside, aside = (str(step.args[name]) for name in ("key", "beside", "aside"))
    live = step.subject
    with writer(context.target, key) as connection:
        if not exists(connection, beside):
            return {"database": live, "switched": "before this", "oid": oid(connection, live)}
        comments = {live: marks.without(comment_of(connection, beside))}
        pairs: tuple[tuple[str, str], ...] = ((beside, live),)
        if exists(connection, live):
            if exists(connection, aside):
                fact = f"a database {aside} has appeared since the plan was made"
                raise RunbookError(fact, "plan again; the new plan chooses another name")
            pairs = ((live, aside), *pairs)
            mark = Mark("kept", aside, context.target.name, context.folder.name, chosen(context).name)
            comments[aside] = mark.over(marks.without(comment_of(connection, live)))
        swap(context.target, key, pairs, comments)
        kept = aside if len(pairs) == 2 else ""
        return {"database": live, "kept": kept, "oid": oid(connection, live)}


@verb("restore.compare")
@guarded
def compare_restored(step: Step, context: Context) -> Mapping[str, Any]:
    """That what is live now (or beside) is what was compared, and that the volumes hold what the backup holds.

    A database that was compared beside and switched is told by its oid, so
    that what the application has written since does not count against it.

    Raises:
        CheckFailed: something is not what was backed up.
    """
    finish(context)
    found: list[Evidence] = list(context.state.get("tables", ()))
    for key in () if step.args["tables"] else step.args["databases"]:
        beside = context.state.get("checked", {}).get(key, ("", ()))[1]
        found += beside if step.args["into"] == "beside" else _live(context, key)
    for name in step.args["volumes"]:
        found += context.state.get("volumes", {}).get(name, ())
    verdict = overall(evidence.verdict for evidence in found)
    result = {"verdict": verdict, "checks": [evidence.as_json() for evidence in found]}
    if verdict != "pass":
        bad = next(evidence for evidence in found if evidence.verdict == verdict)
        fact = f"{bad.id} is not known to be what was backed up: {bad.observed}, expected {bad.expected}"
        raise CheckFailed(fact, "what was there before is kept aside; 05-verify looks again", result)
    return result


def _live(context: Context, key: str) -> tuple[Evidence, ...]:
    live = context.target.databases[key].dbname
    known = context.state.get("checked", {}).get(key)
    with writer(context.target, key) as connection:
        now = oid(connection, live)
    if known is None:
        return _compared(context, key, live)
    same = bool(now) and known[0] == now
    told = Evidence(
        f"{live}:switched", "database", live, "pass" if same else "fail", f"oid {now}", f"oid {known[0]}", "pg_database"
    )
    return (*known[1], told)
