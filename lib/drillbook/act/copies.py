"""A finished backup into a second vault, where each file lies once; and what the target's rules let go, removed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded
from drillbook.act.owner import ourselves
from drillbook.act.vault_lock import vault_lock
from drillbook.decide.plan import Step
from drillbook.decide.retention import Kept, expired
from drillbook.errors import RunbookError, VaultError
from drillbook.target import Target
from drillbook.vault import manifest as manifests
from drillbook.vault.catalog import OBJECTS, UNDER_WAY, Backup, Vault, keys_of
from drillbook.vault.proof import PREFIX
from drillbook.vault.store import Store, store_at


def second(target: Target, number: int) -> Vault:
    """The second vault of that number in the target's file."""
    copy = target.backup.copies[number]
    return Vault(store_at(target.place(copy.vault), target.vault_options(copy.vault_options)), keys_of(target))


@verb("backup.copy")
@guarded
def copy_backup(step: Step, context: Context) -> Mapping[str, Any]:
    """Every backup that the second vault lacks, the newest first, and the proofs that have come since.

    Raises:
        VaultError: the second vault cannot be written; the backups are whole in the first one.
    """
    source, other = Vault.of(context.target), second(context.target, int(step.args["number"]))
    try:
        with vault_lock(other.store, context.folder.name):
            sent = [_copy(backup, other.store) for backup in reversed(source.backups()) if backup.header]
    except (VaultError, OSError) as error:
        fact = f"{step.subject} could not be written: {getattr(error, 'fact', error)}"
        hint = f"the backup is whole in {source.url}; mend the second vault, and the next backup brings it up to date"
        raise VaultError(fact, hint) from error
    sums = {name: sum(told[name] for told in sent) for name in ("files", "bytes", "there")}
    return {"vault": other.url, "backups": len(sent), **sums}


def _copy(backup: Backup, to: Store) -> dict[str, int]:
    """Send what *to* lacks of *backup*; its manifest comes last. How many files and bytes went, how many were there."""
    assert backup.header is not None
    there, sizes = to.sizes(), backup.store.sizes()
    counted = {"files": 0, "bytes": 0, "there": 0}
    for file, checksum in backup.header.checksums.items():
        place = f"{OBJECTS}/{checksum[:2]}/{checksum}"
        if place in there:
            counted["there"] += 1
            continue
        _send(backup.store, backup.places[file], to, place)
        counted["files"] += 1
        counted["bytes"] += sizes[backup.places[file]]
    own = sorted(n for n in sizes if n.startswith((f"{backup.name}/{PREFIX}", f"{backup.name}/{manifests.INNER}")))
    for name in [*own, f"{backup.name}/{manifests.FILE}"]:
        if name not in there:
            to.write(backup.store.read(name), name)
    return counted


def _send(source: Store, place: str, to: Store, name: str) -> None:
    with tempfile.NamedTemporaryFile(prefix="drillbook-copy-") as passing:
        for piece in source.chunks(place):
            passing.write(piece)
        passing.flush()
        to.put(Path(passing.name), name)


@verb("backup.expire")
@guarded
def expire(step: Step, context: Context) -> Mapping[str, Any]:
    """Remove the backups that the plan names and that the target's rules still let go, in this vault and its copies.

    Raises:
        VaultError: a vault cannot be written; what was removed until then is told by the vault itself.
    """
    planned, removed = set(step.args["backups"]), {}
    vaults = [Vault.of(context.target), *(second(context.target, n) for n in range(len(context.target.backup.copies)))]
    for vault in vaults:
        with vault_lock(vault.store, context.folder.name):
            removed[vault.url] = _expire(vault, planned, context.target)
    return {"removed": removed}


def _expire(vault: Vault, planned: set[str], target: Target) -> list[str]:
    backups = vault.backups()
    gone = [name for name in expired(seen(backups, target), target.backup.retention) if name in planned]
    left = [backup for backup in backups if backup.name not in gone]
    if not any(backup.verdict == "proven" for backup in left):
        if gone:
            raise RunbookError(f"no proven backup would be left in {vault.url}", "nothing was removed; run 06-drill")
        return []
    for name in gone:
        discard(vault.store, name)
    _clear_objects(vault.store, left)
    return gone


def discard(store: Store, name: str) -> None:
    """Remove the backup *name*; from the first moment it is none, and the next backup sweeps what a cut leaves."""
    store.write(json.dumps(ourselves()).encode(), f"{name}/{UNDER_WAY}")
    store.remove(f"{name}/{manifests.FILE}")
    store.remove_folder(name)


def _clear_objects(store: Store, left: Sequence[Backup]) -> None:
    """Remove the files of a second vault that no backup needs any more."""
    needed = {checksum for backup in left if backup.header for checksum in backup.header.checksums.values()}
    unknown = any(backup.header is None for backup in left)  # a manifest that cannot be read may name any of them
    if not unknown:
        objects = (name for name in store.sizes() if name.startswith(f"{OBJECTS}/"))
        store.remove(*(name for name in objects if name.rsplit("/", 1)[-1] not in needed))


def seen(backups: Sequence[Backup], target: Target) -> list[Kept]:
    """The whole backups of this very target, as retention sees them; another's in the same folder are let be."""
    return [Kept(b.name, b.header.started, b.verdict) for b in backups if b.header and b.identity == target.identity]
