"""Everything that can be seen of a target at one moment; what cannot be seen is named, never guessed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from drillbook.errors import BadTarget, RunbookError
from drillbook.observe import compose, database, endpoint, engine, files
from drillbook.observe.facts import BackupFact, DatabaseFact, DiskFact, FilesFact, ResponseFact, Snapshot, SourceFact
from drillbook.observe.server import one, server_version
from drillbook.observe.source import source_tree
from drillbook.target import Target
from drillbook.vault.catalog import Vault

T = TypeVar("T")
A = TypeVar("A")
CREATE_TABLE = re.compile(
    r'^\s*CREATE TABLE (?:IF NOT EXISTS )?"?(?:(\w+)"?\."?)?(\w+)"?', re.IGNORECASE | re.MULTILINE
)


class Unknowns(dict[str, str]):
    """What could not be observed, and why."""

    def attempt(self, name: str, ask: Callable[[], T], absent: A) -> T | A:
        """What *ask* gives; where it ends in a foreseen error, *absent*, and the error's fact under *name*."""
        try:
            return ask()
        except RunbookError as error:
            self[name] = error.fact
            return absent


def observe(target: Target) -> Snapshot:
    """The target as it is now: containers, images, files, responses, databases, disks and backups.

    Reads only. A part that cannot be observed is missing from the snapshot and
    named with its reason in `unknown`.
    """
    unknown = Unknowns()
    backups = unknown.attempt("vault", lambda: backup_facts(target), ())
    stack = _stack(target, unknown) if target.stack else {}
    databases = tuple(_database(target, key) for key in target.databases)
    return Snapshot(
        target=target.name,
        identity=target.identity,
        databases=databases,
        disks=(disk(target.vault),),
        backups=backups,
        expected_tables=unknown.attempt("expected schema", lambda: expected_tables(target), {}),
        unknown=unknown,
        **stack,
    )


def _stack(target: Target, unknown: Unknowns) -> dict[str, Any]:
    containers = unknown.attempt("containers", lambda: engine.containers(target), ())
    code = {n: s.code for n, s in target.stack.services.items() if s.code} if target.stack else {}
    artifacts = tuple(sorted({c.placed(a) for c in code.values() if c for a in c.artifacts}))
    running = [c for c in containers if c.running and c.service in code]
    images, processes, seen = [], [], dict[tuple[str, str], FilesFact | None]()
    for container in running:
        where = code[container.service]
        assert where is not None
        key = (container.image_id, where.image)
        if key not in seen:
            look = partial(files.image_files, engine.client(target), container.image_id, container.service, where)
            seen[key] = unknown.attempt(f"image of {container.service}", look, None)
        if there := seen[key]:
            images.append(_as_service(there, container.service))
        processes.append(files.process_files(engine.client(target), container.id, container.service, where))
    return {
        "containers": containers,
        "volumes": unknown.attempt("volumes", lambda: engine.volumes(target), ()),
        "services": unknown.attempt("compose file", lambda: compose.services(target), ()),
        "deployed": unknown.attempt("deployed folder", lambda: source_tree(target.directory, artifacts), None),
        "sources": unknown.attempt("source", lambda: sources(target), {}),
        "images": tuple(images),
        "processes": tuple(processes),
        "responses": responses(target, containers),
    }


def _as_service(fact: FilesFact, service: str) -> FilesFact:
    return FilesFact(fact.subject, service, fact.folder, fact.files, fact.labels, fact.built_from)


def sources(target: Target) -> dict[str, SourceFact]:
    """service → its source tree, for each service whose code the target's file places."""
    assert target.stack is not None
    found: dict[tuple[str, tuple[str, ...]], SourceFact] = {}
    result = {}
    for name, service in target.stack.services.items():
        if service.code:
            key = (service.code.source, service.code.artifacts)
            if key not in found:
                found[key] = source_tree((target.directory / key[0]).resolve(), key[1])
            result[name] = found[key]
    return result


def responses(target: Target, containers: tuple[Any, ...]) -> tuple[ResponseFact, ...]:
    """What each endpoint answers, and what each running replica answers when asked straight."""
    straight = []
    build = next((e for e in target.endpoints.values() if e.build_id or e.source_digest), None)
    for container in containers:
        service = target.stack.services.get(container.service) if target.stack else None
        if build and service and service.response and container.running and container.address:
            url = service.response.format(address=container.address)
            straight.append(endpoint.ask(f"build@{container.name}", build, url, via=container.service))
    return (*endpoint.responses(target), *straight)


def _database(target: Target, key: str) -> DatabaseFact:
    dbname = target.databases[key].dbname
    try:
        with database.connect(target, key) as connection:
            rows = database.row_counts(connection)
            version = server_version(connection)
            oid = one(connection, "SELECT oid FROM pg_database WHERE datname = current_database()")
    except RunbookError as error:
        return DatabaseFact(key, dbname, reachable=False, error=error.fact)
    return DatabaseFact(key, dbname, reachable=True, server_version=version, rows=rows, oid=oid)


def disk(folder: Path) -> DiskFact:
    """Free and total bytes where *folder* is, or would be."""
    there = next(p for p in (folder, *folder.parents) if p.is_dir())
    usage = shutil.disk_usage(there)
    return DiskFact(str(folder), usage.free, usage.total)


def backup_facts(target: Target) -> tuple[BackupFact, ...]:
    """The whole backups in the target's vault, oldest first."""
    now = datetime.now(UTC)
    return tuple(
        BackupFact(
            name=backup.name,
            ended=backup.ended.isoformat(),
            age_seconds=backup.age_seconds(now),
            proven=backup.verdict == "proven",
            rows={
                f"{key}/{t.name}": t.rows for key, db in backup.manifest.databases.items() for t in db.content.tables
            },
            identity=backup.manifest.identity,
        )
        for backup in Vault(target.vault).backups()
        if backup.manifest is not None
    )


def expected_tables(target: Target) -> Mapping[str, tuple[str, ...]]:
    """database → the tables it must have: from the declared schema file, else from the newest non-empty backup.

    Raises:
        BadTarget: the declared schema file cannot be read.
    """
    expected = {}
    filled = [b for b in backup_facts(target) if b.rows]
    for key, declared in target.databases.items():
        if declared.schema_file:
            text = _schema(target.path(declared.schema_file))
            expected[key] = tuple(sorted(f"{s or 'public'}.{t}" for s, t in CREATE_TABLE.findall(text)))
        elif filled:
            names = [n.removeprefix(f"{key}/") for n in filled[-1].rows if n.startswith(f"{key}/")]
            expected[key] = tuple(sorted(names))
    return expected


def _schema(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError as error:
        raise BadTarget(f"the schema file {file} cannot be read: {error.strerror}", "mend schema_file") from error
