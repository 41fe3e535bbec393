"""Begin and finish a backup: a partial folder that becomes a backup by one rename, or is gone."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drillbook import __version__
from drillbook.act.executor import Context, verb
from drillbook.act.guard import cleanup, guarded, undo
from drillbook.act.owner import is_gone, ourselves
from drillbook.decide.plan import Step
from drillbook.errors import RunbookError, VaultError
from drillbook.vault import manifest as manifests
from drillbook.vault.catalog import PARTIAL, Vault
from drillbook.vault.checksum import sha256_synced, sync_folder
from drillbook.vault.manifest import DumpEntry, Manifest, ServerEntry, VolumeEntry

OWNER = "owner.json"
SPARE_BYTES = 4 << 20


@dataclass
class OpenBackup:
    """A backup under way, in its partial folder."""

    name: str
    folder: Path
    started: datetime
    servers: dict[str, ServerEntry] = field(default_factory=dict)
    databases: dict[str, DumpEntry] = field(default_factory=dict)
    volumes: dict[str, VolumeEntry] = field(default_factory=dict)


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
    """What the vault's file system has free for us."""
    return shutil.disk_usage(folder).free


@contextmanager
def room(context: Context) -> Iterator[None]:
    """Within, a failure that leaves the vault's file system full is told as what it is.

    Raises:
        VaultError: the vault is full.
    """
    import errno

    folder = opened(context).folder
    try:
        yield
    except (OSError, RunbookError) as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        free = free_bytes(folder)
        if full or (isinstance(error, RunbookError) and free < SPARE_BYTES):
            raise VaultError(
                f"the vault {folder.parent} is full: {free / 1e6:.1f} MB free",
                "remove old backups or move backup.vault to a larger disk; the half backup has been removed",
            ) from error
        raise


@verb("backup.begin")
@guarded
def begin(step: Step, context: Context) -> dict[str, Any]:
    """Open a partial folder, after those of dead runs are swept and the space is measured."""
    vault = context.target.vault
    _make(vault)
    swept = sweep(vault)
    free, needed = free_bytes(vault), int(step.args["estimate_bytes"])
    if free < needed + SPARE_BYTES:
        raise VaultError(
            f"the vault {vault} has {free / 1e9:.2f} GB free, and the backup may take {needed / 1e9:.2f} GB",
            "remove old backups or move backup.vault to a larger disk; nothing was changed",
        )
    started = datetime.now(UTC)
    name = f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    folder = vault / f"{PARTIAL}{name}"
    folder.mkdir(mode=0o700)
    undo(context, _remover(folder))
    (folder / OWNER).write_text(json.dumps(ourselves()))
    context.state["backup"] = OpenBackup(name, folder, started)
    return {"backup": name, "free_bytes": free, "estimate_bytes": needed, "swept": swept}


def _make(vault: Path) -> None:
    try:
        vault.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise VaultError(
            f"the vault {vault} cannot be made: {error.strerror}", "see backup.vault in the target's file"
        ) from error


def _remover(folder: Path) -> Callable[[], None]:
    return lambda: shutil.rmtree(folder, ignore_errors=True)


def sweep(vault: Path) -> list[str]:
    """Remove the partial folders of processes that run no more; gives their names."""
    swept = []
    for folder in sorted(vault.glob(f"{PARTIAL}*")):
        try:
            owner = json.loads((folder / OWNER).read_text())
        except (OSError, ValueError):
            owner = {}
        if isinstance(owner, dict) and is_gone(owner):
            shutil.rmtree(folder)
            swept.append(folder.name)
    return swept


@verb("backup.finish")
@guarded
def finish_backup(_step: Step, context: Context) -> dict[str, Any]:
    """Hash every file, write the manifest last, and give the folder its name."""
    backup = opened(context)
    with room(context):
        (backup.folder / OWNER).unlink()
        checksums = _seal(backup.folder)
        manifest = Manifest(
            name=backup.name, target=context.target.name, identity=context.target.identity, drillbook=__version__,
            started=backup.started, ended=datetime.now(UTC), servers=backup.servers, databases=backup.databases,
            volumes=backup.volumes, checksums=checksums,
        )  # fmt: skip
        digest = manifests.write(manifest, backup.folder)
    final = backup.folder.parent / backup.name
    backup.folder.rename(final)
    cleanup(context).pop_all()
    sync_folder(final.parent)
    del context.state["backup"]
    size = Vault(final.parent).get(backup.name).bytes
    seconds = round((manifest.ended - manifest.started).total_seconds(), 3)
    counted = {"tables": manifest.tables, "rows": manifest.rows, "bytes": size, "seconds": seconds}
    return {"backup": backup.name, "folder": str(final), "manifest_sha256": digest, **counted}


def _seal(folder: Path) -> dict[str, str]:
    """relative path → sha256 of every file, all on disk with mode 0600 in folders of 0700."""
    checksums = {}
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            path.chmod(0o700)
        else:
            path.chmod(0o600)
            checksums[path.relative_to(folder).as_posix()] = sha256_synced(path)
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            sync_folder(path)
    folder.chmod(0o700)
    return checksums
