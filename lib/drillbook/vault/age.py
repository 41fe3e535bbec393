"""Encryption to age recipients (https://age-encryption.org/v1): only their secret keys read what is encrypted here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from drillbook.errors import BadTarget, VaultError

SUFFIX = ".age"
OTHERS = "it was made for another key, or it is damaged: drillbook backups names others"


def recipients(names: Sequence[str]) -> list[Any]:
    """The recipients that `age1…` and `ssh-…` lines name.

    Raises:
        BadTarget: one of them is neither.
    """
    import pyrage

    found: list[Any] = []
    for name in names:
        kind = pyrage.ssh.Recipient if name.startswith("ssh-") else pyrage.x25519.Recipient
        try:
            found.append(kind.from_str(name))
        except pyrage.RecipientError as error:
            raise BadTarget(
                f"backup.encrypt_to: {name[:12]}… is no age recipient: {error}", "age-keygen -y KEY"
            ) from error
    return found


def identities(text: str) -> list[Any]:
    """The secret keys in *text*, an age key file's lines or an SSH private key; never part of an error.

    Raises:
        BadTarget: there is none in it.
    """
    import pyrage

    try:
        if "PRIVATE KEY" in text:
            return [pyrage.ssh.Identity.from_buffer(text.encode())]
        lines = [line.strip() for line in text.splitlines() if line.strip().startswith("AGE-SECRET-KEY-")]
        found: list[Any] = [pyrage.x25519.Identity.from_str(line) for line in lines]
    except pyrage.IdentityError as error:
        raise BadTarget("backup.decrypt_with names no age key that can be read", "age-keygen makes one") from error
    if not found:
        raise BadTarget("backup.decrypt_with names a secret with no AGE-SECRET-KEY line in it", "age-keygen makes one")
    return found


def encrypt(source: Path, sink: Path, to: Sequence[Any]) -> None:
    """Write *source* encrypted into the new file *sink*, mode 0600, a piece at a time."""
    import pyrage

    sink.touch(0o600, exist_ok=False)
    with source.open("rb") as reader, sink.open("wb") as writer:
        pyrage.encrypt_io(reader, writer, list(to))


def decrypt(source: Path, sink: Path, keys: Sequence[Any]) -> None:
    """Write what *source* holds into the new file *sink*, mode 0600, a piece at a time.

    Raises:
        VaultError: none of *keys* opens it, or it was damaged.
    """
    import pyrage

    sink.touch(0o600, exist_ok=False)
    try:
        with source.open("rb") as reader, sink.open("wb") as writer:
            pyrage.decrypt_io(reader, writer, list(keys))
    except (pyrage.DecryptError, OSError) as error:
        sink.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno:  # a disk's; pyrage's own has no number
            raise
        fact = f"{source.name} cannot be decrypted: {error}"
        raise VaultError(fact, OTHERS) from error


def sealed(data: bytes, to: Sequence[Any]) -> bytes:
    """*data*, which must be small, encrypted."""
    import pyrage

    return bytes(pyrage.encrypt(data, list(to)))


def unsealed(data: bytes, keys: Sequence[Any]) -> bytes:
    """What `sealed` was given. Raises as `decrypt`."""
    import pyrage

    try:
        return bytes(pyrage.decrypt(data, list(keys)))
    except pyrage.DecryptError as error:
        fact = f"what is encrypted cannot be read: {error}"
        raise VaultError(fact, OTHERS) from error
