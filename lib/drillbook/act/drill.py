"""The drill: a backup restored into scratch servers and held against its manifest, up to the proof."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from drillbook.act import pg_restore, roles, settings
from drillbook.act.executor import Context, verb
from drillbook.act.guard import cleanup, guarded
from drillbook.act.opened import opened
from drillbook.act.scratch import Scratch, is_local, scratch_server
from drillbook.decide.compare import LOCALE, compare
from drillbook.decide.evidence import Evidence, Verdict, overall
from drillbook.decide.plan import Step
from drillbook.decide.sample import sampled
from drillbook.decide.sound import sound
from drillbook.errors import RunbookError
from drillbook.observe import database
from drillbook.observe.role_facts import differing_roles, role_facts
from drillbook.vault import checksum, manifest
from drillbook.vault.catalog import Backup, Vault
from drillbook.vault.proof import PREFIX


@dataclass
class Drill:
    """A drill under way: its backup, the folder of its files, scratch servers, and the evidence so far.

    `left_out` are checks that turned out impossible here, each with `id` and `why`; `restoring` counts
    towards the RTO.
    """

    backup: Backup
    folder: Path
    started: datetime
    scratch: dict[str, Scratch] = field(default_factory=dict)
    checks: list[Evidence] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)
    restoring: float = 0.0

    def note(self, name: str, verdict: Verdict, observed: str, expected: str, how: str = "") -> Verdict:
        """Add one check of the backup itself; gives its verdict."""
        self.checks.append(Evidence(name, "backup", self.backup.name, verdict, observed, expected, how))
        return verdict

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Within, time counts towards the RTO."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.restoring += time.monotonic() - began

    def attempt(self, name: str, expected: str, action: Callable[[], str]) -> Verdict:
        """Do *action*, which tells what was observed; an error that it foresees fails the check *name*."""
        try:
            return self.note(name, "pass", action(), expected)
        except (RunbookError, psycopg.Error, OSError) as error:
            return self.note(name, "fail", str(getattr(error, "fact", error)), expected)


def under_way(context: Context) -> Drill:
    """The drill that `drill.checksums` began.

    Raises:
        RunbookError: none was begun in this run.
    """
    drill = context.state.get("drill")
    if not isinstance(drill, Drill):
        raise RunbookError("no drill is under way in this run", "a cut drill is not resumed: run 06-drill anew")
    return drill


@verb("drill.checksums")
@guarded
def checksums(step: Step, context: Context) -> Mapping[str, Any]:
    """Every file of the backup is there and is what the manifest says, and nothing else is."""
    vault, started = Vault.of(context.target), datetime.now(UTC)
    backup = vault.get(str(step.args["backup"]))
    files = cleanup(context).enter_context(opened(context.target, backup))
    drill = context.state["drill"] = Drill(backup, files.folder, started)
    expected = backup.whole().checksums
    wrong = checksum.differences(files.folder, expected, (manifest.FILE, PREFIX)) | files.wrong
    told = "; ".join(f"{name} {what}" for name, what in wrong.items()) or f"{len(expected)} files equal"
    verdict = drill.note("checksums", "fail" if wrong else "pass", told, f"{len(expected)} files equal", "sha256sum")
    return {"verdict": verdict, "files": len(expected), "wrong": wrong}


@verb("drill.manifest")
@guarded
def manifest_itself(_step: Step, context: Context) -> Mapping[str, Any]:
    """The manifest fits itself."""
    drill = under_way(context)
    drill.checks.append(sound(drill.backup.whole(), drill.backup.name, drill.backup.intact))
    return {"verdict": drill.checks[-1].verdict, "told": drill.checks[-1].observed}


@verb("drill.scratch")
@guarded
def scratch(step: Step, context: Context) -> Mapping[str, Any]:
    """A scratch server for one of the backup's servers."""
    drill, key = under_way(context), str(step.args["key"])
    source = drill.backup.whole().servers[key]
    with drill.timed():
        server = scratch_server(context.target, key, source, drill.folder, context.folder.name)
        drill.scratch[key] = cleanup(context).enter_context(server)
    return dict(drill.scratch[key].facts)


@verb("drill.roles")
@guarded
def restore_roles(step: Step, context: Context) -> Mapping[str, Any]:
    """The backup's roles, all of them, in the scratch server."""
    drill, key = under_way(context), str(step.args["key"])
    source, server = drill.backup.whole().servers[key], drill.scratch[key]

    def restored() -> str:
        script = roles.without_role((drill.folder / source.roles).read_text(), source.user)
        with drill.timed():
            server.client("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "postgres", timeout=300, stdin=script)
        with server.connect("postgres") as connection:
            rows = connection.execute("SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1").fetchall()
            seen = role_facts(connection, source.role_passwords)
        missing = sorted(set(source.role_names) - {row[0] for row in rows})
        if missing:
            raise RunbookError(f"roles are missing: {', '.join(missing)}")
        differ = differing_roles(source.role_facts, seen, server.version.split(".")[0] == str(source.major))
        if source.role_facts and differ:
            raise RunbookError(f"roles differ: {', '.join(differ)}")
        return f"{len(rows)} roles"

    return {"verdict": drill.attempt(f"{key}:roles", f"{len(source.role_names)} roles", restored)}


@verb("drill.restore")
@guarded
def restore_database(step: Step, context: Context) -> Mapping[str, Any]:
    """One database of the backup, restored whole into its scratch server; the first error of pg_restore fails it."""
    drill, key = under_way(context), str(step.args["key"])
    entry = drill.backup.whole().databases[key]
    server = drill.scratch[entry.server]

    def restored() -> str:
        began = time.monotonic()
        with drill.timed():
            _create(server, step.subject, key, entry.content, context)
            run = partial(server.client, "pg_restore", timeout=step.timeout_seconds)
            place = f"{server.backup}/{entry.folder}"
            pg_restore.restore(run, place, ("-d", pg_restore.dsn(step.subject)), int(step.args["jobs"]))
            with server.connect("postgres") as connection:
                settings.apply(connection, step.subject, entry.content)
        return f"restored in {time.monotonic() - began:.1f} s"

    return {"verdict": drill.attempt(f"{step.subject}:restore", "pg_restore ends with 0", restored)}


def _create(server: Scratch, name: str, key: str, content: Any, context: Context) -> None:
    """Make the empty database; on local programs without the source's locale, with this machine's."""
    with server.connect("template1") as connection:
        connection.rollback()
        connection.autocommit = True
        if name == "postgres":
            connection.execute("DROP DATABASE postgres")
        try:
            settings.create(connection, name, content)
        except (psycopg.errors.InvalidParameterValue, psycopg.errors.WrongObjectType):
            if not is_local(context.target, key):
                raise
            plain = {**content.settings, "collate": "C.UTF-8", "ctype": "C.UTF-8", "locale_provider": "c"}
            settings.create(connection, name, content.model_copy(update={"settings": plain}))


@verb("drill.compare")
@guarded
def compare_database(step: Step, context: Context) -> Mapping[str, Any]:
    """What the scratch server now holds, held against the manifest: rows, digests, schema, grants, sequences."""
    drill, key = under_way(context), str(step.args["key"])
    entry = drill.backup.whole().databases[key]
    names = {table.name for table in entry.content.tables}
    digested = sampled(entry.content.tables, drill.backup.name) if step.args.get("sample") else frozenset(names)
    ignored = LOCALE if is_local(context.target, key) else ()
    try:
        with drill.scratch[entry.server].connect(step.subject) as connection:
            observed = database.content(
                connection, step.subject, counted=names - digested, algorithm=entry.content.algorithm
            )
    except RunbookError as error:
        verdict = drill.note(f"{step.subject}:compare", "fail", error.fact, "the restored database can be read")
        return {"verdict": verdict}
    found = compare(entry.content, observed, ignored, names - digested)
    drill.checks += found
    failed = [evidence.id for evidence in found if evidence.verdict != "pass"]
    counted = {"checks": len(found), "digested": len(digested), "tables": len(names)}
    return {"verdict": overall(e.verdict for e in found), **counted, "not_passed": failed}
