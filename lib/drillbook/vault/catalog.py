"""The vault's catalog: which backups there are, and which of them are proven."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from drillbook.errors import NotProven, VaultError
from drillbook.target import Target
from drillbook.vault import manifest as manifests
from drillbook.vault import proof as proofs
from drillbook.vault.checksum import sha256
from drillbook.vault.manifest import Manifest
from drillbook.vault.proof import Proof

PARTIAL = ".partial-"
Standing = Literal["proven", "failed", "unproven", "broken"]


@dataclass(frozen=True)
class Backup:
    """A folder of the vault. `manifest` is None when it is broken, and `fact` then says how.

    `proofs` are those that name this very manifest, oldest first.
    """

    name: str
    folder: Path
    manifest: Manifest | None
    manifest_sha256: str
    proofs: tuple[Proof, ...]
    bytes: int
    fact: str = ""

    @property
    def short(self) -> str:
        """The last six digits of the name, for what is named after the backup."""
        return self.name[-6:]

    @property
    def ended(self) -> datetime:
        """When it was finished; the beginning of time for a broken one."""
        return self.manifest.ended if self.manifest else datetime.min.replace(tzinfo=UTC)

    @property
    def verdict(self) -> Standing:
        """`proven` or `failed` by its newest proof, `unproven` without one, `broken` without a manifest."""
        if self.manifest is None:
            return "broken"
        if not self.proofs or self.proofs[-1].verdict == "unknown":
            return "unproven"
        return "proven" if self.proofs[-1].verdict == "pass" else "failed"

    def age_seconds(self, now: datetime) -> float:
        """Seconds since it was started, for what it holds is that old."""
        begun = self.manifest.started if self.manifest else self.ended
        return (now - begun).total_seconds()

    def whole(self) -> Manifest:
        """The manifest.

        Raises:
            VaultError: the backup is broken.
        """
        if self.manifest is None:
            raise VaultError(f"backup {self.name} is broken: {self.fact}", "choose another one: drillbook backups")
        return self.manifest


class Vault:
    """The backups of one target, in one folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, target: Target) -> Vault:
        """The vault that the target's file names."""
        return cls(target.vault)

    @contextmanager
    def opened(self, backup: Backup) -> Iterator[Path]:
        """A folder with the files of *backup* as the manifest names them, to be read within the block.

        Raises:
            VaultError: the vault cannot be read.
        """
        yield backup.folder

    def backups(self) -> tuple[Backup, ...]:
        """Every finished or broken backup, oldest first; partial ones are not backups. Changes nothing.

        Raises:
            VaultError: the vault cannot be listed.
        """
        if not self.path.exists():
            return ()
        try:
            folders = [f for f in self.path.iterdir() if f.is_dir() and not f.name.startswith(".")]
        except OSError as error:
            raise VaultError(f"the vault {self.path} cannot be listed: {error.strerror}", "see who owns it") from error
        return tuple(self._backup(folder) for folder in sorted(folders, key=lambda f: f.name))

    def _backup(self, folder: Path) -> Backup:
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        try:
            manifest = manifests.read(folder)
            digest = sha256(folder / manifests.FILE)
        except (VaultError, OSError) as error:
            return Backup(folder.name, folder, None, "", (), size, str(getattr(error, "fact", error)))
        counting = tuple(proof for proof in proofs.read_all(folder) if proof.manifest_sha256 == digest)
        return Backup(folder.name, folder, manifest, digest, counting, size)

    def latest(self) -> Backup | None:
        """The backup with a manifest that ended last."""
        whole = [backup for backup in self.backups() if backup.manifest is not None]
        return max(whole, key=lambda backup: backup.ended, default=None)

    def latest_proven(self, max_age: timedelta, now: datetime | None = None, identity: str = "") -> Backup | None:
        """The newest proven backup that is not older than *max_age*, of this *identity* if one is given."""
        moment = now or datetime.now(UTC)
        good = [
            backup
            for backup in self.backups()
            if backup.verdict == "proven"
            and backup.age_seconds(moment) <= max_age.total_seconds()
            and (not identity or backup.whole().identity == identity)
        ]
        return max(good, key=lambda backup: backup.ended, default=None)

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
        raise VaultError(f"{count} called {name!r} in {self.path}", f"run 02-backup; the newest are: {known}")

    def choose(self, name: str, identity: str) -> Backup:
        """The backup called *name*; `newest` is the newest whole one of this *identity*, `proven` the newest proven.

        Raises:
            VaultError: there is none.
            NotProven: a proven one was asked for, and there is none.
        """
        if name not in ("newest", "proven"):
            return self.get(name)
        ours = [b for b in self.backups() if b.manifest is not None and b.manifest.identity == identity]
        found = [b for b in ours if name == "newest" or b.verdict == "proven"]
        if not found:
            hint = "run 06-drill on one of those there are" if ours else "run 02-backup, then 06-drill"
            if name == "proven":
                raise NotProven(f"there is no proven backup in {self.path}; it holds {len(ours)} of this target", hint)
            raise VaultError(f"there is no backup of this target in {self.path}", hint)
        return max(found, key=lambda backup: backup.ended)

    def add_proof(self, backup: Backup, proof: Proof) -> Backup:
        """Put *proof* beside *backup*; gives the backup as it stands now.

        Raises:
            VaultError: the vault cannot be written.
        """
        try:
            proofs.write(proof, backup.folder)
        except OSError as error:
            fact = f"the proof of {backup.name} cannot be written: {error.strerror}"
            raise VaultError(fact, f"free some space in {self.path}, then drill again") from error
        return self._backup(backup.folder)
