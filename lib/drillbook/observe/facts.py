"""Facts: frozen values that were observed. They know no client and no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from drillbook.observe.facts_code import (
    BaseFact,
    ContextFact,
    DockerfileFact,
    FilesFact,
    ImageFact,
    ProcessFact,
    SourceFact,
)
from drillbook.observe.facts_data import ArchiveFact, BackupFact, DatabaseFact, DiskFact, HeldFact, SchemaFact
from drillbook.observe.facts_signs import CachesFact, IncidentFact, SignsFact

__all__ = [
    "ArchiveFact", "BackupFact", "BaseFact", "CachesFact", "ConfigFact", "ContainerFact", "ContextFact",
    "DatabaseFact", "DiskFact", "DockerfileFact", "FilesFact", "HeldFact", "ImageFact", "IncidentFact", "Mount",
    "ProcessFact", "ResponseFact", "SchemaFact", "ServiceFact", "SignsFact", "Snapshot", "SourceFact", "StrangerFact",
    "VolumeFact",
]  # fmt: skip


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
    """A container of the target, as the engine tells it. `tag_image_id` is what its tag means now.

    `ports` are the host's ports that it publishes; `config_hash` is compose's label; `pgdata` is PGDATA in
    its environment. `tmpfs` are folders in memory that the engine does not call mounts (compose's `tmpfs:`).
    """

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
    ports: tuple[int, ...] = ()
    restart_policy: str = ""
    config_hash: str = ""
    pgdata: str = ""
    tmpfs: tuple[str, ...] = ()


@dataclass(frozen=True)
class StrangerFact:
    """A container that goes by the target's compose project name, but is of another folder or other config files.

    `directory` and `files` are as compose's labels tell them, empty where they tell none.
    """

    container: str
    service: str
    directory: str
    files: tuple[str, ...]
    running: bool


@dataclass(frozen=True)
class VolumeFact:
    """A named volume of the compose project."""

    name: str
    key: str
    created: str
    mountpoint: str


@dataclass(frozen=True)
class ServiceFact:
    """A service as the compose file, rendered by compose itself, declares it.

    `replicas` is how many containers it asks for, `build_args` and `build_target` what a build is
    given, `cache_from` and `cache_to` the caches that a build names. `context` may be no local
    folder (a git URL); `dockerfile_inline` is the Dockerfile that stands in the compose file itself;
    `depends` are the services that compose sees to before it. `alone` says why a second container of it cannot
    run beside the first (a host port, a volume that it writes to), empty when it can; `named` is the fixed name of
    its container. `grace_seconds` is how long it may take to stop, `ready_seconds` how long, at most, to be healthy
    by its health check; 0 without one.
    """

    name: str
    image: str
    context: str
    dockerfile: str
    volumes: tuple[tuple[str, str], ...] = ()
    replicas: int = 1
    build_args: Mapping[str, str] = field(default_factory=dict)
    build_target: str = ""
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    dockerfile_inline: str = ""
    depends: tuple[str, ...] = ()
    alone: str = ""
    named: str = ""
    grace_seconds: float = 10.0
    ready_seconds: float = 0.0


@dataclass(frozen=True)
class ConfigFact:
    """A container's configuration held against the compose file as it is now.

    `wanted` is the hash that compose gives the service now, empty where it could not
    be asked; `differs` names what is not the same (`environment DEFAULT_ORGANIZATION`,
    `file /etc/nginx/conf.d/default.conf`, `image`), never a value. `unread` are mounted
    files that could not be held against the host's, with the reason.
    """

    container: str
    service: str
    wanted: str
    actual: str
    differs: tuple[str, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ResponseFact:
    """What a URL answered; `status` 0 means that nothing answered, and `error` says why.

    `via` is `proxy` for an endpoint as users ask it, else the service that was asked straight, and
    `replica` its container. `headers` are those that tell of caches, in small letters. An endpoint
    that tells its build is asked several times: one fact for each different answer, `times` how often.
    """

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
    replica: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int = 1


@dataclass(frozen=True)
class Snapshot:
    """Everything observed at one moment. What could not be observed is absent and named in `unknown`.

    `deployed` is the compose project's whole folder, `sources` the part of it that is each service's code.
    `images` holds the code of every image that a service's tag means or that a container runs;
    `engine_images` the same images as the engine tells them, by id. `expected`: database → its schema.
    `held` tells of the volumes that a reset is to empty, and of no other.
    """

    target: str
    identity: str
    containers: tuple[ContainerFact, ...] = ()
    strangers: tuple[StrangerFact, ...] = ()
    volumes: tuple[VolumeFact, ...] = ()
    services: tuple[ServiceFact, ...] = ()
    deployed: SourceFact | None = None
    sources: Mapping[str, SourceFact] = field(default_factory=dict)
    generated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    contexts: Mapping[str, ContextFact] = field(default_factory=dict)
    dockerfiles: Mapping[str, DockerfileFact] = field(default_factory=dict)
    images: tuple[FilesFact, ...] = ()
    engine_images: Mapping[str, ImageFact] = field(default_factory=dict)
    bases: Mapping[str, BaseFact] = field(default_factory=dict)
    processes: tuple[ProcessFact, ...] = ()
    configs: tuple[ConfigFact, ...] = ()
    responses: tuple[ResponseFact, ...] = ()
    databases: tuple[DatabaseFact, ...] = ()
    expected: Mapping[str, SchemaFact] = field(default_factory=dict)
    filled: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    disks: tuple[DiskFact, ...] = ()
    backups: tuple[BackupFact, ...] = ()
    held: Mapping[str, HeldFact] = field(default_factory=dict)
    caches: CachesFact | None = None
    signs: SignsFact | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)
