"""Facts about what is stored: databases, disks, backups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class DatabaseFact:
    """A database as it is now: its tables with rows, or why it cannot be asked.

    `oid` tells it from another of the same name, put in its place. Rows of the
    tables in `estimated` are the server's estimate, never for an empty table.
    `columns`: schema.table.column → type; `indexes` as lines (`observe.index_lines`), without those of
    constraints; `sequences`: name → last value, of those in use. `rowless` are partitioned and foreign
    tables, `parts`: partition → its partitioned table, `unread`: table → why its rows could not be read.
    `asked` is false where we had no means to ask: then nothing is known, not even that it is down.
    `service` is the stack's service that it runs in, empty for a server of its own. `data_directory` is
    where the server says that its files lie, empty where it may not tell us; `tablespaces`: name → folder.
    """

    key: str
    dbname: str
    reachable: bool
    error: str = ""
    server_version: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)
    system_identifier: str = ""
    oid: str = ""
    estimated: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    indexes: tuple[str, ...] = ()
    sequences: Mapping[str, int] = field(default_factory=dict)
    connections: int = 0
    max_connections: int = 0
    bytes: int = 0
    unread: Mapping[str, str] = field(default_factory=dict)
    rowless: tuple[str, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict)
    asked: bool = True
    service: str = ""
    data_directory: str = ""
    tablespaces: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SchemaFact:
    """What a database must have, and who says so.

    `declared` is true for the target's own schema file, false for what the newest
    backup held: since then a migration may have changed it. `columns` and `indexes` as in
    `DatabaseFact`; empty where the origin does not tell.
    """

    origin: str
    declared: bool
    tables: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)
    indexes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DiskFact:
    """Free and total bytes of the file system that holds *path*; free and total inodes, 0 where it counts none."""

    path: str
    free_bytes: int
    total_bytes: int
    what: str = "vault"
    free_inodes: int = 0
    total_inodes: int = 0


@dataclass(frozen=True)
class ArchiveFact:
    """A volume as a backup holds it; `keys` are a redis' without an expiry, None for files or where not known."""

    members: int
    bytes: int
    tree: str
    keys: int | None = None


@dataclass(frozen=True)
class HeldFact:
    """What a volume holds now, read to its end.

    `redis` is the id of the container that runs one on it, empty for none; `keys` are all of its keys, `lasting`
    those that never expire, None where none runs. `control` is the path of a PostgreSQL control file in it;
    `others` are running containers that mount it and are not the target's; `stopped` the target's that a reset
    which was cut had stopped, by id; `image_id` an image of the target that can empty it, empty for none.
    """

    name: str
    members: int
    bytes: int
    redis: str = ""
    keys: int | None = None
    lasting: int | None = None
    control: str = ""
    others: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()
    image_id: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in it: no file, or, where a redis answers, no key."""
        return self.keys == 0 if self.keys is not None else self.members == 0


@dataclass(frozen=True)
class BackupFact:
    """A backup of the vault as the planner needs it. `volumes`: full name → its archive."""

    name: str
    ended: str
    age_seconds: float
    proven: bool
    rows: Mapping[str, int] = field(default_factory=dict)
    identity: str = ""
    volumes: Mapping[str, ArchiveFact] = field(default_factory=dict)
