"""The vault's catalog: which backups there are, and which of them are proven."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from drillbook.errors import BrokenBackup, NotProven, VaultError
from drillbook.target import Target, secret
from drillbook.vault import age
from drillbook.vault import manifest as manifests
from drillbook.vault import proof as proofs
from drillbook.vault.backup import Backup
from drillbook.vault.manifest import Manifest, Sealed
from drillbook.vault.proof import Proof
from drillbook.vault.store import Store, store_at

__all__ = ["Backup", "Vault", "keys_of"]

PARTIAL = ".partial-"
UNDER_WAY = "partial.json"
"""In a store of objects, which knows no renaming: this backup's upload has not ended, unless its manifest is there."""
OBJECTS = "objects"
"""Where a second vault keeps each file once, named by its sha256."""
Keys = Callable[[], Sequence[Any]]


def no_keys() -> Sequence[Any]:
    """There is no key."""
    return ()


class Vault:
    """The backups of one target, in one store. *keys* gives the age keys for those that are encrypted."""

    def __init__(self, place: Path | Store, keys: Keys = no_keys) -> None:
        self.store: Store = store_at(str(place)) if isinstance(place, Path) else place
        self.keys = keys

    @classmethod
    def of(cls, target: Target) -> Vault:
        """The vault that the target's file names."""
        return cls(store_at(target.vault_url, target.vault_options(target.backup.vault_options)), keys_of(target))

    @property
    def url(self) -> str:
        """Where it is, for people."""
        return self.store.url

    def backups(self) -> tuple[Backup, ...]:
        """Every finished or broken backup, oldest first; partial ones are not backups. Changes nothing.

        Raises:
            VaultError: the vault cannot be listed.
        """
        sizes = self.store.sizes()
        names = {name.partition("/")[0] for name in sizes if "/" in name and not name.startswith(".")} - {OBJECTS}
        finished = {n for n in names if f"{n}/{manifests.FILE}" in sizes or f"{n}/{UNDER_WAY}" not in sizes}
        return tuple(sorted((self._backup(name, sizes) for name in sorted(finished)), key=lambda backup: backup.order))

    def _backup(self, name: str, sizes: dict[str, int]) -> Backup:
        own = {path.removeprefix(f"{name}/"): size for path, size in sizes.items() if path.startswith(f"{name}/")}
        try:
            data = self._manifest(name, own)
            header = manifests.parse(data, f"{name}/{manifests.FILE}")
        except BrokenBackup as error:
            return Backup(name, self.store, None, None, "", (), sum(own.values()), error.fact)
        digest = hashlib.sha256(data).hexdigest()
        manifest, fact, intact = self._read(name, header, data)
        places = {file: _place(name, file, checksum, own) for file, checksum in header.checksums.items()}
        size = sum(own.values()) + sum(sizes.get(place, 0) for place in places.values() if place.startswith(OBJECTS))
        found = [proofs.parse(self.store.read(f"{name}/{file}")) for file in own if _is_proof(file)]
        counting = sorted((p for p in found if p and p.manifest_sha256 == digest), key=lambda p: (p.serial, p.ended))
        return Backup(name, self.store, header, manifest, digest, tuple(counting), size, fact, intact, places)

    def _manifest(self, name: str, own: dict[str, int]) -> bytes:
        if manifests.FILE not in own:
            raise BrokenBackup(f"there is no {manifests.FILE} in it")
        try:
            return self.store.read(f"{name}/{manifests.FILE}")
        except OSError as error:
            raise BrokenBackup(f"its {manifests.FILE} cannot be read: {error.strerror}") from error

    def _read(self, name: str, header: Manifest | Sealed, data: bytes) -> tuple[Manifest | None, str, bool]:
        """The manifest itself, or why it cannot be read; and whether what was read is as it was written."""
        intact = manifests.intact(header, data)
        if isinstance(header, Manifest):
            return header, "", intact
        keys = self.keys()
        if not keys:
            return None, "encrypted", intact
        try:
            inner_data = age.unsealed(self.store.read(f"{name}/{manifests.INNER}"), keys)
            inner = manifests.parse(inner_data, name)
        except (VaultError, FileNotFoundError) as error:
            return None, str(getattr(error, "fact", error)), intact
        if not isinstance(inner, Manifest):
            return None, f"{manifests.INNER} holds no manifest", intact
        return inner, "", intact and manifests.intact(inner, inner_data)

    def latest(self) -> Backup | None:
        """The backup with a manifest that ended last."""
        return max((b for b in self.backups() if b.header), key=lambda backup: backup.order, default=None)

    def latest_proven(self, max_age: timedelta, now: datetime | None = None, identity: str = "") -> Backup | None:
        """The newest proven backup that is not older than *max_age*, of this *identity* if one is given."""
        moment = now or datetime.now(UTC)
        good = [
            backup
            for backup in self.backups()
            if backup.verdict == "proven"
            and backup.is_young(moment, max_age.total_seconds())
            and (not identity or backup.identity == identity)
        ]
        return max(good, key=lambda backup: backup.order, default=None)

    def get(self, name: str) -> Backup:
        """The backup called *name*, or the only one whose name ends in it.

        Raises:
            VaultError: there is none, or more than one.
        """
        everything = self.backups()
        found = [b for b in everything if b.name == name] or [b for b in everything if name and b.name.endswith(name)]
        if len(found) == 1:
            return found[0]
        known = ", ".join(b.name for b in everything[-5:]) or "none"
        count = "no backup" if not found else f"{len(found)} backups"
        raise VaultError(f"{count} called {name!r} in {self.url}", f"run 02-backup; the newest are: {known}")

    def choose(self, name: str, identity: str) -> Backup:
        """The backup called *name*; `newest` is the newest whole one of this *identity*, `proven` the newest proven.

        Raises:
            VaultError: there is none.
            NotProven: a proven one was asked for, and there is none.
        """
        if name not in ("newest", "proven"):
            return self.get(name)
        ours = [b for b in self.backups() if b.header is not None and b.identity == identity]
        found = [b for b in ours if name == "newest" or b.verdict == "proven"]
        if not found:
            hint = "run 06-drill on one of those there are" if ours else "run 02-backup, then 06-drill"
            if name == "proven":
                raise NotProven(f"there is no proven backup in {self.url}; it holds {len(ours)} of this target", hint)
            raise VaultError(f"there is no backup of this target in {self.url}", hint)
        return max(found, key=lambda backup: backup.order)

    def add_proof(self, backup: Backup, proof: Proof, to: Sequence[Any] = ()) -> Backup:
        """Put *proof* beside *backup*, encrypted *to* where the backup is; gives the backup as it stands now.

        Raises:
            VaultError: the vault cannot be written.
        """
        place = f"{backup.name}/{proofs.file_name(proof)}"
        proof = proof.model_copy(update={"serial": 1 + max((p.serial for p in backup.proofs), default=0)})
        try:
            if backup.is_sealed:
                self.store.write(age.sealed(proofs.written(proof), to), f"{place}{age.SUFFIX}")
                proof = proofs.bare(proof)
            self.store.write(proofs.written(proof), place)
        except OSError as error:
            fact = f"the proof of {backup.name} cannot be written: {error.strerror}"
            raise VaultError(fact, f"free some space in {self.url}, then drill again") from error
        return self._backup(backup.name, self.store.sizes())

    def damage(self, backup: Backup) -> dict[str, str]:
        """relative path → what is wrong with it as it lies in the store: `missing`, `differs`, `not in the manifest`.

        Raises:
            VaultError: the vault cannot be read.
        """
        assert backup.header is not None
        sizes, expected = self.store.sizes(), backup.header.checksums
        wrong = {file: "missing" for file in expected if backup.places[file] not in sizes}
        for file in expected.keys() - wrong.keys():
            if self._sha256(backup.places[file]) != expected[file]:
                wrong[file] = "differs"
        own = (path.removeprefix(f"{backup.name}/") for path in sizes if path.startswith(f"{backup.name}/"))
        ours = (manifests.FILE, UNDER_WAY, proofs.PREFIX)
        return wrong | {
            file: "not in the manifest" for file in own if file not in expected and not file.startswith(ours)
        }

    def _sha256(self, place: str) -> str:
        digest = hashlib.sha256()
        for piece in self.store.chunks(place):
            digest.update(piece)
        return digest.hexdigest()


def keys_of(target: Target) -> Keys:
    """The age keys that the target's file names; the secret is looked at when a backup needs it."""
    return lambda: age.identities(secret(target.backup.decrypt_with, target)) if target.backup.decrypt_with else ()


def _place(name: str, file: str, checksum: str, own: dict[str, int]) -> str:
    """Beside the manifest, or in a second vault the one copy of this content."""
    return f"{name}/{file}" if file in own else f"{OBJECTS}/{checksum[:2]}/{checksum}"


def _is_proof(file: str) -> bool:
    return file.startswith(proofs.PREFIX) and file.endswith(".json")
