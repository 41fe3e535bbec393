"""Begin and finish a backup: made in a staging folder, then a backup by one rename or its manifest, or gone."""

from __future__ import annotations

import errno
import json
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drillbook import __version__
from drillbook.act.executor import Context, verb
from drillbook.act.guard import cleanup, finish, guarded, undo
from drillbook.act.opened import OPENED, OWNER, sweep
from drillbook.act.vault_lock import vault_lock
from drillbook.decide.plan import Step
from drillbook.errors import RunbookError, VaultError
from drillbook.observe.owner import is_gone, ourselves
from drillbook.vault import age
from drillbook.vault import manifest as manifests
from drillbook.vault.catalog import PARTIAL, UNDER_WAY, Vault
from drillbook.vault.checksum import sha256_synced, sync_folder
from drillbook.vault.manifest import DumpEntry, Manifest, PhysicalEntry, ServerEntry, VolumeEntry
from drillbook.vault.publish import publish
from drillbook.vault.store import Store

SPARE_BYTES = 4 << 20
SEALERS = 2


@dataclass
class OpenBackup:
    """A backup under way, in its staging folder: for a plain vault on this disk that is the vault's own."""

    name: str
    folder: Path
    started: datetime
    store: Store
    to: list[Any]
    serial: int
    began: float
    finished: bool = False
    servers: dict[str, ServerEntry] = field(default_factory=dict)
    databases: dict[str, DumpEntry] = field(default_factory=dict)
    volumes: dict[str, VolumeEntry] = field(default_factory=dict)
    physical: dict[str, PhysicalEntry] = field(default_factory=dict)

    @property
    def in_place(self) -> bool:
        """Whether the folder becomes the backup by one rename."""
        return self.folder.parent == self.store.folder

    def disks(self) -> tuple[Path, ...]:
        """The folders of this machine that it is written into."""
        return (self.folder.parent, *((self.store.folder,) if self.store.folder else ()))


def opened(context: Context) -> OpenBackup:
    """The backup that `backup.begin` opened.

    Raises:
        RunbookError: none is open; a backup is not resumed but taken anew.
    """
    backup = context.state.get("backup")
    if not isinstance(backup, OpenBackup):
        raise RunbookError("no backup is open in this run", "a cut backup is not resumed: run 02-backup anew")
    return backup


def free_bytes(folder: Path) -> int:
    """What the file system of *folder* has free for us."""
    return shutil.disk_usage(folder).free


@contextmanager
def room(context: Context) -> Iterator[None]:
    """Within, a failure that leaves the file system of the dump, or of the vault, full is told as what it is.

    Raises:
        VaultError: it is full.
    """
    backup = opened(context)
    try:
        yield
    except (OSError, RunbookError) as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        fullest = min(backup.disks(), key=free_bytes)
        free = free_bytes(fullest)
        if full or free < SPARE_BYTES:
            what = "vault" if fullest == backup.store.folder else "staging place"
            raise VaultError(
                f"the {what} {fullest} is full: {free / 1e6:.1f} MB free",
                f"remove old backups or move backup.{what.split(maxsplit=1)[0]} to a larger disk;"
                " the half backup has been removed",
            ) from error
        raise


@verb("backup.begin")
@guarded
def begin(step: Step, context: Context) -> dict[str, Any]:
    """Take the vault's lock, sweep what dead runs left, measure the space, and open a staging folder."""
    target, store = context.target, Vault.of(context.target).store
    to = age.recipients(target.backup.encrypt_to)
    place = _made(store.folder or target.staging)
    cleanup(context).enter_context(vault_lock(store, context.folder.name))
    if to:
        place = _made(target.staging)
    swept = [*sweep(place, PARTIAL), *sweep(place, OPENED), *sweep_store(store)]
    tightest = min((place, store.folder or place), key=free_bytes)
    free, needed = free_bytes(tightest), int(step.args["estimate_bytes"])
    if free < needed + SPARE_BYTES:
        raise VaultError(
            f"the vault {tightest} has {free / 1e9:.2f} GB free, and the backup may take {needed / 1e9:.2f} GB",
            "remove old backups or move backup.vault to a larger disk; nothing was changed",
        )
    serial = 1 + max((b.order[0] for b in Vault.of(target).backups()), default=0)
    started = datetime.now(UTC)
    name = f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    folder = place / f"{PARTIAL}{name}"
    folder.mkdir(mode=0o700)
    undo(context, _remover(folder))
    (folder / OWNER).write_text(json.dumps(ourselves()))
    context.state["backup"] = OpenBackup(name, folder, started, store, to, serial, time.monotonic())
    return {"backup": name, "free_bytes": free, "estimate_bytes": needed, "swept": swept}


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise VaultError(
            f"the vault {folder} cannot be made: {error.strerror}", "see backup.vault in the target's file"
        ) from error
    return folder


def _remover(folder: Path) -> Callable[[], None]:
    return lambda: shutil.rmtree(folder, ignore_errors=True)


def sweep_store(store: Store) -> list[str]:
    """Remove uploads that never ended, of processes that run no more; gives their names. The lock must be held."""
    names = store.sizes()
    swept = []
    for folder in sorted(name.partition("/")[0] for name in names if name.endswith(f"/{UNDER_WAY}")):
        if f"{folder}/{manifests.FILE}" in names:
            store.remove(f"{folder}/{UNDER_WAY}")
        elif is_gone(json.loads(store.read(f"{folder}/{UNDER_WAY}"))):
            store.remove_folder(folder)
            swept.append(folder)
    return swept


@verb("backup.finish")
@guarded
def finish_backup(_step: Step, context: Context) -> dict[str, Any]:
    """Hash every file, encrypt and send what is to be, write the manifest last, and give the backup its name."""
    backup = opened(context)
    with room(context):
        (backup.folder / OWNER).unlink()
        checksums = _seal(backup.folder)
        manifest = Manifest(
            name=backup.name, target=context.target.name, identity=context.target.identity, drillbook=__version__,
            serial=backup.serial, started=backup.started, ended=datetime.now(UTC), servers=backup.servers,
            databases=backup.databases, volumes=backup.volumes, physical=backup.physical, checksums=checksums,
        )  # fmt: skip
        digest = _placed(backup, manifest, context)
    del context.state["backup"]
    finish(context)
    made = Vault.of(context.target).get(backup.name)
    seconds = round(time.monotonic() - backup.began, 3)
    counted = {"tables": manifest.tables, "rows": manifest.rows, "bytes": made.bytes, "seconds": seconds}
    empty = [key for key, entry in manifest.databases.items() if entry.empty]
    return {"backup": backup.name, "vault": backup.store.url, "manifest_sha256": digest, "empty": empty, **counted}


def _placed(backup: OpenBackup, manifest: Manifest, context: Context) -> str:
    """Make what is staged the backup of its name; gives the sha256 of its manifest.json."""
    store, name = backup.store, backup.name
    if store.folder is None:
        undo(context, lambda: _forget(backup))
        store.write(json.dumps(ourselves()).encode(), f"{name}/{UNDER_WAY}")
        digest = publish(store, name, backup.folder, manifest, backup.to)
        backup.finished = True
        store.remove(f"{name}/{UNDER_WAY}")
        return digest
    if backup.in_place:
        digest = manifests.write(manifest, backup.folder)
        backup.folder.rename(store.folder / name)
    else:
        undo(context, _remover(store.folder / f"{PARTIAL}{name}"))
        digest = publish(store, f"{PARTIAL}{name}", backup.folder, manifest, backup.to)
        (store.folder / f"{PARTIAL}{name}").rename(store.folder / name)
    sync_folder(store.folder)
    return digest


def _forget(backup: OpenBackup) -> None:
    """Remove a half upload; where the vault cannot be reached, the next backup sweeps it."""
    if not backup.finished:
        with suppress(VaultError):
            backup.store.remove_folder(backup.name)


def _seal(folder: Path) -> dict[str, str]:
    """relative path → sha256 of every file, all on disk with mode 0600 in folders of 0700."""
    paths = sorted(folder.rglob("*"))
    files = [path for path in paths if not path.is_dir()]
    folders = [folder, *(path for path in paths if path.is_dir())]
    for path in files:
        path.chmod(0o600)
    for path in folders:
        path.chmod(0o700)
    with ThreadPoolExecutor(SEALERS) as pool:  # hashing and syncing both let go of the interpreter
        digests = list(pool.map(sha256_synced, files))
    for path in folders:
        sync_folder(path)
    return {path.relative_to(folder).as_posix(): digest for path, digest in zip(files, digests, strict=True)}
