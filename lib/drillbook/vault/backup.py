"""A backup as the vault's catalog has it, and what it is worth."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from drillbook.errors import VaultError
from drillbook.vault.manifest import Manifest, Sealed
from drillbook.vault.proof import Proof
from drillbook.vault.store import Store

SKEW_SECONDS = 300
"""How far two machines' clocks may differ."""
Standing = Literal["proven", "failed", "unproven", "broken"]


@dataclass(frozen=True)
class Backup:
    """A backup of the vault. `header` is None when it is broken, and `fact` then says how.

    `intact` is false where its manifest reads, but is not as it was written.
    `manifest` is None too where it is encrypted and there is no key. `places` maps
    each file's name to where it lies in the store. `proofs` are those that
    name this very manifest, oldest first. `bytes` are those that it takes in the store.
    """

    name: str
    store: Store
    header: Manifest | Sealed | None
    manifest: Manifest | None
    manifest_sha256: str
    proofs: tuple[Proof, ...]
    bytes: int
    fact: str = ""
    intact: bool = True
    places: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where it lies on this machine's disk.

        Raises:
            VaultError: it lies elsewhere.
        """
        if self.store.folder is None:
            raise VaultError(
                f"backup {self.name} lies in {self.store.url}, not on this machine", "read it by the vault"
            )
        return self.store.folder / self.name

    @property
    def short(self) -> str:
        """The last six digits of the name, for what is named after the backup."""
        return self.name[-6:]

    @property
    def is_sealed(self) -> bool:
        """Whether it is encrypted."""
        return isinstance(self.header, Sealed)

    @property
    def ended(self) -> datetime:
        """When it was finished; the beginning of time for a broken one."""
        return self.header.ended if self.header else datetime.min.replace(tzinfo=UTC)

    @property
    def order(self) -> tuple[int, datetime]:
        """What sorts backups by when they were taken, whatever clocks said."""
        return (self.header.serial if self.header else 0, self.ended)

    @property
    def identity(self) -> str:
        """The identity of the target that it was taken from; empty for a broken one."""
        return self.header.identity if self.header else ""

    @property
    def verdict(self) -> Standing:
        """`proven` or `failed` by its newest proof that counts, `unproven` without one, `broken` without a manifest."""
        if self.header is None:
            return "broken"
        judged = [proof.verdict for proof in self.proofs if proof.counts]
        if not judged or judged[-1] == "unknown":
            return "unproven"
        return "proven" if judged[-1] == "pass" else "failed"

    def is_young(self, now: datetime, max_seconds: float) -> bool:
        """Whether it is at most so old. One from the future has no age: a clock was wrong, then or now."""
        return -SKEW_SECONDS <= self.age_seconds(now) <= max_seconds

    def age_seconds(self, now: datetime) -> float:
        """Seconds since it was started, for what it holds is that old; negative when the clock was set back."""
        begun = self.header.started if self.header else self.ended
        return (now - begun).total_seconds()

    def whole(self) -> Manifest:
        """The manifest.

        Raises:
            VaultError: the backup is broken, or encrypted for a key that is not here.
        """
        if self.header is None:
            raise VaultError(f"backup {self.name} is broken: {self.fact}", "choose another one: drillbook backups")
        if self.manifest is None:
            hint = "name the key in the target's file: backup.decrypt_with: file:PATH (or env:NAME)"
            raise VaultError(f"backup {self.name} is encrypted, and there is no key to read it: {self.fact}", hint)
        return self.manifest
