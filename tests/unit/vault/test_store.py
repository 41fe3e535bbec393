"""What every store promises, on a disk, in S3 and in memory."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from s3 import Bucket

from drillbook.errors import VaultError
from drillbook.vault.store import Store, store_at


@pytest.fixture(params=["disk", "s3", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    match request.param:
        case "disk":
            return store_at(str(tmp_path / "vault"))
        case "s3":
            bucket: Bucket = request.getfixturevalue("bucket")
            return store_at(f"{bucket.url}/unit", bucket.options)
    return store_at(f"memory://{uuid4().hex}/vault")


def test_a_store_that_is_not_there_yet_is_empty(store: Store) -> None:
    """The first backup makes it."""
    assert store.sizes() == {}


def test_what_is_put_is_read_again(store: Store, tmp_path: Path) -> None:
    """Whole, in pieces, by its name with slashes."""
    file = tmp_path / "file"
    file.write_bytes(bytes(range(256)) * 20_000)
    store.put(file, "a/b/c.dat")
    assert store.sizes() == {"a/b/c.dat": 5_120_000}
    assert b"".join(store.chunks("a/b/c.dat")) == store.read("a/b/c.dat") == file.read_bytes()


def test_a_name_is_given_once(store: Store) -> None:
    """Two who write the same name at once: one of them is told."""
    store.write(b"first", "lock")
    with pytest.raises(FileExistsError):
        store.write(b"second", "lock")
    assert store.read("lock") == b"first"


def test_a_folder_is_removed_and_its_neighbour_is_not(store: Store) -> None:
    """Names that begin alike are other folders."""
    for name in ("one/a", "one/b/c", "one-more/a"):
        store.write(b"x", name)
    store.remove_folder("one")
    store.remove_folder("never-there")
    store.remove("one/a")
    assert set(store.sizes()) == {"one-more/a"}


def test_a_disk_keeps_it_private_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    """0600 and 0700; a source that breaks off leaves no file, neither under its name nor beside it."""
    store = store_at(str(tmp_path / "vault"))
    store.write(b"x", "a/b")
    assert (tmp_path / "vault/a/b").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "vault/a").stat().st_mode & 0o777 == 0o700
    with pytest.raises(FileNotFoundError):
        store.put(tmp_path / "absent", "a/c")
    assert set(store.sizes()) == {"a/b"}


def test_an_s3_out_of_reach_is_told_as_such(bucket: Bucket) -> None:
    """A fact that names the vault, a hint, and no traceback of a library's."""
    store = store_at(bucket.url, bucket.options)
    store.write(b"x", "a")
    bucket.stop()
    with pytest.raises(VaultError, match="could not be listed") as caught:
        store.sizes()
    assert bucket.url in caught.value.fact
    assert "credentials" in caught.value.hint


def test_a_scheme_that_nothing_reads_names_what_is_missing() -> None:
    """Before anything starts."""
    with pytest.raises(VaultError, match="nowhere"):
        store_at("nowhere://x/y").sizes()
