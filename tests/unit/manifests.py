"""A small backup as its manifest tells of it: two databases on one server, a redis and some files."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from drillbook.observe.places import DatabasePlace, DataFacts, ServerPlace, VolumePlace
from drillbook.vault.backup import Backup
from drillbook.vault.content import DatabaseContent, SequenceState, TableDigest
from drillbook.vault.manifest import DumpEntry, Manifest, ServerEntry, VolumeEntry
from drillbook.vault.proof import Proof
from drillbook.vault.store import store_at

NAME = "20251013T010000Z-abc123"
BEGAN = datetime(2025, 10, 13, 1, tzinfo=UTC)
OBJECTS = {
    "schema:public": "schema",
    "table:public.users": "r p replica d",
    "column:public.users.id": "integer not null identity d",
    "column:public.users.name": "character varying(40) not null",
    "table:public.jobs": "r p replica d",
    "column:public.jobs.id": "integer not null default nextval('public.jobs_id_seq'::regclass)",
    "column:public.jobs.owner": "integer",
    "sequence:public.jobs_id_seq": "integer 1 1 1 2147483647 1 f owned by public.jobs.id",
    "foreign_key:public.jobs.owned": "FOREIGN KEY (owner) REFERENCES public.users(id)",
    "comment:table constraint owned on public.jobs": "with an 'owner'",
    "table:public.logs": "p p RANGE (at) replica d",
    'table:public."Logs a"': (
        "r p FOR VALUES FROM ('2025-01-01') TO ('2025-06-01') {fillfactor=70} rls replica d toast {a=1} "
        "inherits public.logs"
    ),
    "table:public.logs_b": "r p DEFAULT replica d inherits public.logs",
    "view:public.named": " SELECT name FROM public.users;",
}


def content(**changes: Any) -> DatabaseContent:
    """Four tables, two of them parts of a partitioned one."""
    names = ("users", "jobs", "Logs a", "logs_b")
    tables = tuple(TableDigest(schema_name="public", table=n, rows=10 + len(n), sum64=f"{len(n)}7") for n in names)
    given: dict[str, Any] = {
        "database": "connect",
        "server_version": "16.4",
        "algorithm": "record64-v1",
        "tables": tables,
        "schema_objects": OBJECTS,
        "settings": {"owner": "connect", "comment": ""},
        "sequences": (SequenceState(schema_name="public", sequence="jobs_id_seq", last_value=12, column_extreme=9),),
    }
    return DatabaseContent(**{**given, **changes})


def manifest(**changes: Any) -> Manifest:
    """A finished backup."""
    dumps = {
        key: DumpEntry(
            server="main",
            folder=f"databases/{key}",
            content=content(database=dbname),
            compression="6",
            client_version="16.4",
            seconds=1.0,
            empty=False,
        )
        for key, dbname in (("main", "connect"), ("stats", "numbers"))
    }
    volume: dict[str, Any] = {"bytes": 9, "members": 2, "tree": "t" * 64, "image_id": "sha256:r"}
    volumes = {
        "connect_queue": VolumeEntry(
            key="queue", kind="redis", service="redis", destination="/data", file="volumes/queue.tar.zst", keys=3,
            digest="d", **volume,
        ),
        "connect_up": VolumeEntry(
            key="up", kind="files", service="app", destination="/up", file="volumes/up.tar.zst", **volume
        ),
    }  # fmt: skip
    given: dict[str, Any] = {
        "name": NAME, "target": "connect", "identity": "i", "drillbook": "0", "started": BEGAN, "ended": BEGAN,
        "servers": {"main": ServerEntry(version="16.4", user="postgres", role_names=("connect",))},
        "databases": dumps, "volumes": volumes,
    }  # fmt: skip
    return Manifest(**{**given, **changes})


def proof(verdict: str = "pass") -> Proof:
    """What a drill of it left."""
    return Proof.model_validate({
        "backup": NAME, "manifest_sha256": "m", "verdict": verdict, "started": BEGAN, "ended": BEGAN,
        "rto_seconds": 1.0, "checks": (), "scratch": {}, "versions": {},
    })  # fmt: skip


def backup(verdict: str = "pass", **changes: Any) -> Backup:
    """The backup, proven unless another *verdict* is given; an empty one is no drill at all."""
    proofs = (proof(verdict),) if verdict else ()
    made = manifest(**changes)
    return Backup(NAME, store_at("/vault"), made, made, "m", proofs, 100)


def facts(**changes: Any) -> DataFacts:
    """The target of that backup, with everything in its place."""
    server = ServerPlace("main", "16.4", "postgres", "7", ("main", "stats"), ("connect", "numbers", "postgres"))
    given: dict[str, Any] = {
        "servers": {"main": server},
        "databases": {
            "main": DatabasePlace("main", "main", "connect", exists=True),
            "stats": DatabasePlace("stats", "main", "numbers", exists=True),
        },
        "volumes": (
            VolumePlace("connect_queue", "queue", "redis", "redis", ("connect-redis-1",)),
            VolumePlace("connect_up", "up", "files", "app", ("connect-app-1", "connect-app-2")),
        ),
        "volume_names": ("connect_queue", "connect_up"),
        "vault": "/vault",
    }
    return DataFacts(**{**given, **changes})
