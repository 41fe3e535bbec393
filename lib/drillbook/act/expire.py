"""What the target's rules let go, removed: from the vault and from its copies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from drillbook.act.copies import second
from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded
from drillbook.act.vault_lock import vault_lock
from drillbook.decide.plan import Step
from drillbook.decide.retention import Kept, expired
from drillbook.errors import RunbookError
from drillbook.observe.owner import ourselves
from drillbook.target import Target
from drillbook.vault import manifest as manifests
from drillbook.vault.catalog import OBJECTS, UNDER_WAY, Backup, Vault
from drillbook.vault.store import Store


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
