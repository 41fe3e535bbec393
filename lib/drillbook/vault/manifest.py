"""The manifest: what a backup holds. It is written last; a folder without it is no backup."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import from_json

from drillbook.errors import BrokenBackup
from drillbook.vault.checksum import sha256, sync_folder
from drillbook.vault.content import DatabaseContent, Frozen

FILE = "manifest.json"
CHOOSE = "choose another backup (drillbook backups); this one was damaged after it was made"
INNER = "manifest.json.age"
"""Where the manifest lies in an encrypted backup, whose `manifest.json` is a `Sealed` one."""


def _inside(path: str) -> str:
    """*path*, which a backup names: it may come from a vault that somebody else can write to."""
    if path.startswith("/") or "\0" in path or ".." in path.split("/"):
        raise ValueError("a path that leaves the backup's folder")
    return path


Inside = Annotated[str, AfterValidator(_inside)]
"""A path below the backup's folder, with slashes."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class DumpEntry(Frozen):
    """One database's dump: `folder` and all paths are relative to the backup's folder."""

    server: str
    folder: Inside
    content: DatabaseContent
    compression: str
    client_version: str
    seconds: float
    empty: bool


class ServerEntry(Frozen):
    """The server that databases came from, and the file of its roles. `user` is its bootstrap superuser.

    `role_facts` are the roles as they were, to hold restored ones against.
    """

    version: str
    user: str
    image_id: str = ""
    image_ref: str = ""
    system_identifier: str = ""
    preload: str = ""
    roles: Inside = ""
    role_names: tuple[str, ...] = ()
    role_passwords: bool = False
    role_facts: dict[str, str] = Field(default_factory=dict)
    tablespaces: tuple[str, ...] = ()

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0].split()[0])


class PhysicalEntry(Frozen):
    """A server's files in a repository of pgBackRest, and the restore point at which its databases held their content.

    `tied`: no transaction ended between the snapshots of the contents and the
    restore point, so that recovery to it gives them exactly. `unlogged` tables
    are in no physical backup: their content is recorded as empty.
    """

    version: str
    stanza: str
    label: str
    type: Literal["full", "diff", "incr"]
    reference: tuple[str, ...] = ()
    stopped: datetime
    stop_lsn: str
    restore_point: str
    at: datetime
    lsn: str
    wal: str
    tied: bool
    system_identifier: str
    data_directory: str
    bytes: int
    repository_bytes: int
    unlogged: tuple[str, ...] = ()

    @property
    def timeline(self) -> int:
        return int(self.wal[:8], 16)


class VolumeEntry(Frozen):
    """One volume's archive. `tree` is a digest over its members, `digest` over redis' persistent keys.

    `digest` is None where there is none, or where the keys never held still;
    `changed_while_read` where files did not, and the target's file says that this is well.
    """

    key: str
    kind: Literal["files", "redis"]
    service: str
    destination: str
    file: Inside
    bytes: int
    members: int
    tree: str
    image_id: str
    keys: int | None = None
    digest: str | None = None
    config: dict[str, str] = Field(default_factory=dict)
    changed_while_read: bool = False


class Header(Frozen):
    """What every manifest tells first. Times are UTC; `checksums` maps every file beside it to its sha256.

    `serial` counts the backups of a vault: it tells the newest one where a clock was set back.
    `own_sha256` is of the manifest's file with nothing in this very field.
    """

    format: Literal[1] = 1
    own_sha256: str = ""
    name: str
    target: str
    identity: str
    drillbook: str
    serial: int = 0
    started: datetime
    ended: datetime
    checksums: dict[Inside, Sha256] = Field(default_factory=dict)


class Manifest(Header):
    """A finished backup.

    Where `physical` names a server, its databases' data is in pgBackRest's repository, not in this folder.
    """

    servers: dict[str, ServerEntry]
    databases: dict[str, DumpEntry]
    volumes: dict[str, VolumeEntry] = Field(default_factory=dict)
    physical: dict[str, PhysicalEntry] = Field(default_factory=dict)

    @property
    def tables(self) -> int:
        return sum(len(entry.content.tables) for entry in self.databases.values())

    @property
    def rows(self) -> int:
        return sum(entry.content.rows for entry in self.databases.values())


class Sealed(Header):
    """What may be read of an encrypted backup without its key; `checksums` are of the files as they lie there."""

    sealed: Literal["age"] = "age"
    tables: int
    rows: int


def seal(manifest: Manifest, checksums: dict[str, str]) -> Sealed:
    """The part of *manifest* that stays readable."""
    return Sealed(
        name=manifest.name, target=manifest.target, identity=manifest.identity, drillbook=manifest.drillbook,
        serial=manifest.serial, started=manifest.started, ended=manifest.ended, tables=manifest.tables,
        rows=manifest.rows, checksums=checksums,
    )  # fmt: skip


def written(manifest: Manifest | Sealed) -> bytes:
    """The manifest as it lies in its file, with its own checksum in it."""
    data = manifest.model_copy(update={"own_sha256": ""}).model_dump_json(indent=1).encode()
    return data.replace(_own(""), _own(hashlib.sha256(data).hexdigest()), 1)


def intact(manifest: Manifest | Sealed, data: bytes) -> bool:
    """Whether *data*, which *manifest* was read from, is as it was written. Older manifests do not tell, and pass."""
    without = data.replace(_own(manifest.own_sha256), _own(""), 1)
    return not manifest.own_sha256 or hashlib.sha256(without).hexdigest() == manifest.own_sha256


def _own(digest: str) -> bytes:
    return f'"own_sha256": "{digest}"'.encode()


def write(manifest: Manifest, folder: Path) -> str:
    """Put the manifest into *folder*, on disk before this returns; gives its sha256.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    file = folder / FILE
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(written(manifest))
        stream.flush()
        os.fsync(stream.fileno())
    sync_folder(folder)
    return sha256(file)


def parse(data: bytes, file: str) -> Manifest | Sealed:
    """The manifest that *data*, read from *file*, is.

    Raises:
        BrokenBackup: it is none.
    """
    try:
        raw = from_json(data)
        kind = Sealed if isinstance(raw, dict) and "sealed" in raw else Manifest
        return kind.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BrokenBackup(
            f"{file} is not a manifest: {where} {first['msg']}".replace("  ", " "),
            CHOOSE,
        ) from error
    except ValueError as error:
        raise BrokenBackup(f"{file} is not JSON: {error}", CHOOSE) from error
