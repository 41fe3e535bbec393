"""A backup's files, to be read: where they lie, or fetched and decrypted into a private folder that goes again."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from drillbook.errors import VaultError
from drillbook.observe.owner import is_gone, ourselves
from drillbook.target import Target
from drillbook.vault.catalog import OBJECTS, Backup, keys_of
from drillbook.vault.publish import fetch

OWNER = "owner.json"
OPENED = ".opened-"


@dataclass(frozen=True)
class Opened:
    """The files of a backup in *folder*; `wrong`: relative path → what is wrong with it, as far as was seen already."""

    folder: Path
    wrong: dict[str, str] = field(default_factory=dict)


@contextmanager
def opened(target: Target, backup: Backup) -> Iterator[Opened]:
    """The files of *backup* as its manifest names them, decrypted, to be read within the block.

    Changes nothing but a folder in the target's staging place, 0700, which is gone afterwards; one that a
    killed process left is removed by the next.

    Raises:
        VaultError: the vault cannot be read, or the backup is broken or encrypted for a key that is not here.
    """
    backup.whole()
    aside = any(place.startswith(f"{OBJECTS}/") for place in backup.places.values())
    if backup.store.folder is not None and not backup.is_sealed and not aside:
        yield Opened(backup.folder)
        return
    with staged(target.staging, f"{OPENED}{backup.name}-{secrets.token_hex(3)}") as folder:
        free = shutil.disk_usage(folder).free
        if free < 2 * backup.bytes:
            raise VaultError(
                f"{folder.parent} has {free / 1e9:.2f} GB free, and reading {backup.name} may take"
                f" {2 * backup.bytes / 1e9:.2f} GB",
                "free some space, or move backup.staging to a larger disk; nothing was changed",
            )
        (folder / "files").mkdir(mode=0o700)
        yield Opened(folder / "files", fetch(backup, folder / "files", keys_of(target)()))


@contextmanager
def staged(place: Path, name: str) -> Iterator[Path]:
    """A private folder *name* in *place* that says whose it is, after those of dead processes are swept; gone after."""
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    sweep(place, OPENED)
    folder = place / name
    folder.mkdir(mode=0o700)
    try:
        (folder / OWNER).write_text(json.dumps(ourselves()))
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(place: Path, prefix: str) -> list[str]:
    """Remove the folders named *prefix*… whose process runs no more; gives their names."""
    swept = []
    for folder in sorted(place.glob(f"{prefix}*")):
        try:
            owner = json.loads((folder / OWNER).read_text())
        except (OSError, ValueError):
            owner = {}
        if isinstance(owner, dict) and is_gone(owner):
            shutil.rmtree(folder)
            swept.append(folder.name)
    return swept
