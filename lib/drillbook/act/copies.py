"""Backups into a second vault, where each file lies once."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded
from drillbook.act.opened import OPENED, staged
from drillbook.act.vault_lock import vault_lock
from drillbook.decide.plan import Step
from drillbook.errors import VaultError
from drillbook.target import Target
from drillbook.vault import manifest as manifests
from drillbook.vault.catalog import OBJECTS, Backup, Vault, keys_of
from drillbook.vault.checksum import sha256
from drillbook.vault.proof import PREFIX
from drillbook.vault.store import Store, store_at


def second(target: Target, number: int) -> Vault:
    """The second vault of that number in the target's file."""
    copy = target.backup.copies[number]
    return Vault(store_at(target.place(copy.vault), target.vault_options(copy.vault_options)), keys_of(target))


class Passage:
    """The way from one vault into another, with what lies in both looked at once."""

    def __init__(self, source: Store, to: Store, staging: Path) -> None:
        self.source, self.to, self.staging = source, to, staging
        self.sizes, self.there = source.sizes(), set(to.sizes())

    def copy(self, backup: Backup) -> dict[str, int]:
        """Send what is not there of *backup*, its manifest last: how many files and bytes went, how many were there.

        Raises:
            VaultError: a file is not what its manifest says; or one of the vaults is out of reach.
        """
        assert backup.header is not None
        counted = {"files": 0, "bytes": 0, "there": 0}
        for file, checksum in backup.header.checksums.items():
            place = f"{OBJECTS}/{checksum[:2]}/{checksum}"
            if place in self.there:
                counted["there"] += 1
            elif file != manifests.INNER:
                self._send(backup, file, checksum, place)
                counted["files"] += 1
                counted["bytes"] += self.sizes[backup.places[file]]
        beside = (f"{backup.name}/{PREFIX}", f"{backup.name}/{manifests.INNER}")
        for name in [*sorted(n for n in self.sizes if n.startswith(beside)), f"{backup.name}/{manifests.FILE}"]:
            if name not in self.there:
                self.to.write(self.source.read(name), name)
        return counted

    def _send(self, backup: Backup, file: str, checksum: str, place: str) -> None:
        """A file goes under its sha256, so it is hashed first: a damaged one would stand for others' good ones."""
        with self._on_disk(backup.places[file]) as local:
            if sha256(local) != checksum:
                fact = f"{file} of backup {backup.name} is not what its manifest says, and is not copied"
                raise VaultError(fact, "drill that backup; the ones before it are copied already")
            self.to.put(local, place)
        self.there.add(place)

    @contextmanager
    def _on_disk(self, place: str) -> Iterator[Path]:
        if self.source.folder is not None:
            yield self.source.folder / place
            return
        with staged(self.staging, f"{OPENED}copy-{secrets.token_hex(3)}") as folder:
            with (folder / "passing").open("wb") as sink:
                for piece in self.source.chunks(place):
                    sink.write(piece)
            yield folder / "passing"


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
            passage = Passage(source.store, other.store, context.target.staging)
            sent = [passage.copy(backup) for backup in reversed(source.backups()) if backup.header]
    except (VaultError, OSError) as error:
        fact = f"{step.subject} could not be written: {getattr(error, 'fact', error)}"
        hint = f"the backup is whole in {source.url}; mend the second vault, and the next backup brings it up to date"
        raise VaultError(fact, hint) from error
    sums = {name: sum(told[name] for told in sent) for name in ("files", "bytes", "there")}
    return {"vault": other.url, "backups": len(sent), **sums}
