"""Facts: frozen values that were observed. They know no client and no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mount:
    """A volume or bind at *destination*; `name` is empty for a bind, `anonymous` when no one named it."""

    kind: str
    name: str
    source: str
    destination: str
    anonymous: bool = False


@dataclass(frozen=True)
class ContainerFact:
    """A container of the target, as the engine tells it. `tag_image_id` is what its tag means now."""

    id: str
    name: str
    service: str
    image_id: str
    image_ref: str
    tag_image_id: str
    running: bool
    health: str
    exit_code: int
    started: str
    created: str
    address: str
    restarts: int
    mounts: tuple[Mount, ...] = ()
    networks: tuple[str, ...] = ()


@dataclass(frozen=True)
class VolumeFact:
    """A named volume of the compose project."""

    name: str
    key: str
    created: str
    mountpoint: str


@dataclass(frozen=True)
class ServiceFact:
    """A service as the compose file, rendered by compose itself, declares it."""

    name: str
    image: str
    context: str
    dockerfile: str
    volumes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class SourceFact:
    """A source tree: path → sha256 of every tracked file, the untracked artifacts, what `.dockerignore` lets in."""

    directory: str
    revision: str
    tracked: Mapping[str, str]
    artifacts: Mapping[str, str]
    dirty: tuple[str, ...] = ()
    ignore_patterns: tuple[str, ...] = ()
    artifacts_in_context: tuple[str, ...] = ()
    is_git: bool = True


@dataclass(frozen=True)
class FilesFact:
    """path → sha256 of the files below one folder of an image or of a running container.

    `built_from` is what the embedded manifest says of the sources: path → sha256.
    """

    subject: str
    service: str
    folder: str
    files: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    built_from: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ResponseFact:
    """What a URL answered; `status` 0 means that nothing answered, and `error` says why."""

    endpoint: str
    url: str
    status: int
    expected_status: int
    body: str
    seconds: float
    error: str = ""
    build_id: str = ""
    source_digest: str = ""
    via: str = "proxy"


@dataclass(frozen=True)
class DatabaseFact:
    """A database as it is now: its tables with rows, or why it cannot be asked.

    `oid` tells it from another of the same name, put in its place.
    """

    key: str
    dbname: str
    reachable: bool
    error: str = ""
    server_version: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)
    system_identifier: str = ""
    oid: str = ""


@dataclass(frozen=True)
class DiskFact:
    """Free and total bytes of the file system that holds *path*."""

    path: str
    free_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class BackupFact:
    """A backup of the vault as the planner needs it."""

    name: str
    ended: str
    age_seconds: float
    proven: bool
    rows: Mapping[str, int] = field(default_factory=dict)
    identity: str = ""


@dataclass(frozen=True)
class Snapshot:
    """Everything observed at one moment. What could not be observed is absent and named in `unknown`.

    `deployed` is the compose project's whole folder, `sources` the part of it that is each service's code.
    """

    target: str
    identity: str
    containers: tuple[ContainerFact, ...] = ()
    volumes: tuple[VolumeFact, ...] = ()
    services: tuple[ServiceFact, ...] = ()
    deployed: SourceFact | None = None
    sources: Mapping[str, SourceFact] = field(default_factory=dict)
    images: tuple[FilesFact, ...] = ()
    processes: tuple[FilesFact, ...] = ()
    responses: tuple[ResponseFact, ...] = ()
    databases: tuple[DatabaseFact, ...] = ()
    disks: tuple[DiskFact, ...] = ()
    backups: tuple[BackupFact, ...] = ()
    expected_tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)
