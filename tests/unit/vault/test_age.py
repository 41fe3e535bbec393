"""What is encrypted opens with the right key alone, and not at all once a bit of it has changed."""

from __future__ import annotations

from pathlib import Path

import pyrage
import pytest

from drillbook.errors import BadTarget, VaultError
from drillbook.vault import age

KEY = pyrage.x25519.Identity.generate()


def test_a_file_comes_back_with_its_key(tmp_path: Path) -> None:
    """Larger than a piece, private, and not in the clear."""
    (tmp_path / "plain").write_bytes(b"the users' table " * 50_000)
    age.encrypt(tmp_path / "plain", tmp_path / "sealed", age.recipients([str(KEY.to_public())]))
    assert b"users" not in (tmp_path / "sealed").read_bytes()
    age.decrypt(tmp_path / "sealed", tmp_path / "again", age.identities(f"# created: now\n{KEY}\n"))
    assert (tmp_path / "again").read_bytes() == (tmp_path / "plain").read_bytes()
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("sealed", "again")} == {0o600}


@pytest.mark.parametrize("damage", ["first", "middle", "last", "cut", "empty", "another key"])
def test_a_damaged_one_is_never_taken_for_whole(tmp_path: Path, damage: str) -> None:
    """No plain file is left then."""
    (tmp_path / "plain").write_bytes(b"x" * 200_000)
    age.encrypt(tmp_path / "plain", tmp_path / "sealed", [KEY.to_public()])
    data, key = bytearray((tmp_path / "sealed").read_bytes()), KEY
    match damage:
        case "first":
            data[0] ^= 1
        case "middle":
            data[len(data) // 2] ^= 1
        case "last":
            data[-1] ^= 1
        case "cut":
            del data[100_000:]
        case "empty":
            data.clear()
        case _:
            key = pyrage.x25519.Identity.generate()
    (tmp_path / "sealed").write_bytes(data)
    with pytest.raises(VaultError, match="cannot be decrypted"):
        age.decrypt(tmp_path / "sealed", tmp_path / "again", [key])
    assert not (tmp_path / "again").exists()


def test_a_recipient_that_is_none_is_refused_before_anything_starts() -> None:
    """The fact names the key of the target's file."""
    with pytest.raises(BadTarget, match="encrypt_to"):
        age.recipients(["age1nothing"])


@pytest.mark.parametrize("text", ["", "no key at all", "AGE-SECRET-KEY-1WRONG"])
def test_a_key_file_without_a_key_is_told_and_never_shown(text: str) -> None:
    """What the file holds is no part of the error."""
    with pytest.raises(BadTarget, match="decrypt_with") as caught:
        age.identities(text)
    assert "WRONG" not in str(caught.value)
