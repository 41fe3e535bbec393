"""Small facts for the tests: a stack of two replicas, a scraper and a database, as the incident had it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from drillbook.decide.reset_images import Commands
from drillbook.observe.facts import (
    BackupFact,
    ContainerFact,
    ContextFact,
    DatabaseFact,
    DiskFact,
    FilesFact,
    Mount,
    ProcessFact,
    ResponseFact,
    SchemaFact,
    ServiceFact,
    Snapshot,
    SourceFact,
    VolumeFact,
)
from drillbook.observe.facts_code import DockerfileFact, Instruction
from drillbook.target import Target, parse_target

DIRECTORY = "/opt/connect"
NEW, OLD = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def digest(text: str) -> str:
    """The sha256 of *text*."""
    return hashlib.sha256(text.encode()).hexdigest()


def target(file: Path = Path(f"{DIRECTORY}/target.yaml"), **changes: Any) -> Target:
    """The target `connect`, described by a file in its own folder; *changes* replace whole sections."""
    raw: dict[str, Any] = {
        "name": "connect",
        "stack": {
            "project": "connect",
            "directory": ".",
            "services": {
                "app1": {
                    "code": {"image": "/app", "artifacts": [".next"], "manifest": ".next/build-manifest.json"},
                    "response": "http://{address}:3000/__build",
                },
            },
        },
        "databases": {"main": {"service": "postgres", "dbname": "connect", "user": "connect"}},
        "endpoints": {"matches": {"url": "http://127.0.0.1:8080/api/matches/generate"}},
        "backup": {"vault": "vault"},
    }
    return parse_target({**raw, **changes}, file)


def database_target(file: Path = Path(f"{DIRECTORY}/target.yaml")) -> Target:
    """A target without a stack: one database at a host."""
    place = {"host": "/run/postgresql", "dbname": "connect", "user": "connect"}
    return parse_target({"name": "embedded", "databases": {"main": place}}, file)


def container(service: str = "app1", **changes: Any) -> ContainerFact:
    """A healthy container of *service* on its tag's image."""
    fact = ContainerFact(
        id=digest(service), name=f"connect-{service}-1", service=service, image_id=NEW, image_ref=f"connect-{service}",
        tag_image_id=NEW, running=True, health="healthy", exit_code=0, started="2025-10-13T02:00:00Z",
        created="2025-10-13T02:00:00Z", address="172.18.0.5", restarts=0,
    )  # fmt: skip
    return replace(fact, **changes)


def postgres(*mounts: Mount, **changes: Any) -> ContainerFact:
    """The database's container; its files lie on a named volume where no other *mounts* are given."""
    kept = Mount("volume", "connect_postgres_data", "", "/var/lib/postgresql/data")
    return container("postgres", **{"mounts": mounts or (kept,), **changes})


SOURCES = {"lib/db.js": digest("new db"), "server.js": digest("server")}
ARTIFACTS = {".next/bundle.js": digest("old bundle"), ".next/build-manifest.json": digest("old manifest")}


def source(**changes: Any) -> SourceFact:
    """Clean sources at a revision, with nothing beside them."""
    return replace(SourceFact(DIRECTORY, "0123456789ab", SOURCES, {}), **changes)


def image(service: str = "app1", **changes: Any) -> FilesFact:
    """An image that was built from the clean sources."""
    files = {**SOURCES, ".next/bundle.js": digest("new bundle")}
    return replace(FilesFact(NEW, service, "/app", files, {}, dict(SOURCES)), **changes)


def process(service: str = "app1", **changes: Any) -> ProcessFact:
    """A container of *service* that sees its image's files, and nothing else."""
    there = container(service)
    fact = ProcessFact(there.id, there.name, service, NEW, 1_760_320_800.0, built_from=dict(SOURCES))
    return replace(fact, **changes)


def context(**changes: Any) -> ContextFact:
    """What a build of `app1` is given: its sources, and nothing beside them."""
    return replace(ContextFact("app1", DIRECTORY, tuple(SOURCES), (), ()), **changes)


def dockerfile(*lines: tuple[str, str]) -> DockerfileFact:
    """A Dockerfile of one stage, an instruction and its value a line."""
    words = tuple(Instruction(n, n, word, value, 0) for n, (word, value) in enumerate(lines, 1))
    return DockerfileFact("app1", f"{DIRECTORY}/Dockerfile", words, "", "", "", False)


def expected(**changes: Any) -> SchemaFact:
    """What the target's schema file declares."""
    return replace(SchemaFact("schema.sql", True, ("public.organizations", "public.users")), **changes)


def backup(**changes: Any) -> BackupFact:
    """A proven backup of an hour ago that holds ten users."""
    rows = {"main/public.users": 10, "main/public.organizations": 12}
    fact = BackupFact("20251013t010000Z-abc123", "2025-10-13T01:00:00+00:00", 3600.0, True, rows, target().identity)
    return replace(fact, **changes)


def answer(**changes: Any) -> ResponseFact:
    """A good answer of the endpoint that reads the database."""
    url = "http://127.0.0.1:8080/api/matches/generate"
    return replace(ResponseFact("matches", url, 200, 200, "{}", 0.02), **changes)


def database(**changes: Any) -> DatabaseFact:
    """The database with its rows in place."""
    rows = {"public.users": 10, "public.organizations": 12}
    return replace(DatabaseFact("main", "connect", True, server_version="16.4", rows=rows), **changes)


def healthy(**changes: Any) -> Snapshot:
    """Everything as it must be: fresh code, rows in place, a proven backup."""
    fact = Snapshot(
        target="connect", identity=target().identity, containers=(container(), postgres()),
        volumes=(VolumeFact("connect_postgres_data", "postgres_data", "", ""),),
        services=(
            ServiceFact("app1", "connect-app1", DIRECTORY, "Dockerfile"),
            ServiceFact("postgres", "postgres:16", "", ""),
        ),
        deployed=source(), sources={"app1": source()}, images=(image(),), processes=(process(),), responses=(answer(),),
        databases=(database(),), disks=(DiskFact("/vault", 50, 100),), backups=(backup(),),
        expected={"main": expected()},
    )  # fmt: skip
    return replace(fact, **changes)


def stale_artifact(**changes: Any) -> Snapshot:
    """The incident: corrected sources beside an old `.next` that `COPY . .` brings into every image."""
    beside = source(artifacts=ARTIFACTS, artifacts_in_context=(".next",))
    built = {**SOURCES, "lib/db.js": digest("old db")}
    old = image(files={**SOURCES, **ARTIFACTS}, built_from=built)
    failing = answer(status=500, body="TypeError: Cannot read properties of undefined (reading 'findUnique')")
    fact = healthy(
        deployed=beside, sources={"app1": beside}, images=(old,), responses=(failing,),
        processes=(process(built_from=built),),
    )  # fmt: skip
    return replace(fact, **changes)


def lost_schema(**changes: Any) -> Snapshot:
    """The second blow: what `down -v` deletes is gone."""
    return replace(healthy(databases=(database(rows={}),)), **changes)


COMPOSE = ("docker", "compose", "-p", "connect")
OVERRIDE = "/staging.override.json"
STAGED = ("docker", "compose", "-p", "connect", "--project-directory", "/staging", "-f", OVERRIDE)
COMMANDS = Commands(COMPOSE, STAGED, "/staging", OVERRIDE)
PROXY = {"service": "proxy", "test": ["nginx", "-t", "-q"], "reload": ["nginx", "-s", "reload"]}


def stack(*names: str, **changes: Any) -> dict[str, Any]:
    """The target's stack section: each of *names* has code and can be asked straight; no proxy but in *changes*."""
    code = {"image": "/app", "artifacts": [".next"]}
    services = {name: {"code": code, "response": "http://{address}:3000/__build"} for name in names or ("app1",)}
    return {"project": "connect", "directory": ".", "services": services, **changes}


def service(name: str = "app1", **changes: Any) -> ServiceFact:
    """A service that is built from the whole folder and can run beside itself."""
    return replace(ServiceFact(name, f"connect-{name}", DIRECTORY, "Dockerfile"), **changes)


def replicas(number: int, service: str = "app1", **changes: Any) -> tuple[ContainerFact, ...]:
    """So many containers of *service*, numbered from 1, each with an id of its own."""
    names = [f"connect-{service}-{n}" for n in range(1, number + 1)]
    return tuple(container(service, **{"id": digest(name), "name": name, **changes}) for name in names)
