"""A finished backup's way into a store and back out of it: encrypted before it goes, checked when it comes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from drillbook.errors import VaultError
from drillbook.vault import age
from drillbook.vault import manifest as manifests
from drillbook.vault.backup import Backup
from drillbook.vault.checksum import sha256
from drillbook.vault.manifest import Manifest, Sealed
from drillbook.vault.store import Store


def publish(store: Store, place: str, folder: Path, manifest: Manifest, to: Sequence[Any]) -> str:
    """Put the files of *folder* below *place*, encrypted if there is anyone *to* encrypt for, the manifest last.

    Each file is gone from *folder* once it lies in the store. Gives the sha256 of what is called `manifest.json` there.

    Raises:
        VaultError, OSError: the store cannot be written; without the manifest what is there is no backup.
    """
    header: Manifest | Sealed = manifest
    if to:
        checksums = {}
        (folder / manifests.FILE).write_bytes(manifests.written(manifest))
        for file in [*manifest.checksums, manifests.FILE]:
            sealed = folder / f"{file}{age.SUFFIX}"
            age.encrypt(folder / file, sealed, to)
            (folder / file).unlink()
            checksums[f"{file}{age.SUFFIX}"] = _sent(store, sealed, f"{place}/{file}{age.SUFFIX}")
        header = manifests.seal(manifest, checksums)
    else:
        for file in manifest.checksums:
            _sent(store, folder / file, f"{place}/{file}")
    data = manifests.written(header)
    store.write(data, f"{place}/{manifests.FILE}")
    return hashlib.sha256(data).hexdigest()


def _sent(store: Store, file: Path, place: str) -> str:
    store.put(file, place)
    digest = sha256(file)
    file.unlink()
    return digest


def fetch(backup: Backup, folder: Path, keys: Sequence[Any]) -> dict[str, str]:
    """Put the files of *backup*, decrypted, into *folder*; relative path → what is wrong with it, of those not whole.

    Raises:
        VaultError: the vault cannot be read; of the backup itself that tells nothing.
        OSError: *folder* cannot be written.
    """
    assert backup.header is not None
    sizes, wrong = backup.store.sizes(), {}
    for name, checksum in backup.header.checksums.items():
        if name == manifests.INNER:
            continue
        plain = name.removesuffix(age.SUFFIX) if backup.is_sealed else name
        said = "missing"
        if backup.places[name] in sizes:
            (folder / plain).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            said = _fetched(backup, name, checksum, folder / plain, keys)
        if said:
            wrong[plain] = said
    return wrong


def _fetched(backup: Backup, name: str, checksum: str, file: Path, keys: Sequence[Any]) -> str:
    """What is wrong with the file *name*; nothing where it lies in *file* now."""
    came = file.with_name(f"{file.name}.came") if backup.is_sealed else file
    digest = hashlib.sha256()
    came.touch(0o600)
    with came.open("wb") as sink:
        for piece in backup.store.chunks(backup.places[name]):
            digest.update(piece)
            sink.write(piece)
    if digest.hexdigest() != checksum:
        return "differs"
    if backup.is_sealed:
        try:
            age.decrypt(came, file, keys)
        except VaultError as error:
            return error.fact
        finally:
            came.unlink()
    return ""
