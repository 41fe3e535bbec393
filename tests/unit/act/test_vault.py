"""Backups in every kind of vault, proven and restored from there; and every way a vault can fail midway."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyrage
import pytest
from ghost import ghost_owner
from postgres import writer
from rounds import carry_out, put_back, take_backup, take_drill
from s3 import Bucket

from drillbook.act import backup as backups
from drillbook.act import copies
from drillbook.act.cluster import Cluster
from drillbook.act.opened import opened
from drillbook.act.vault_lock import NAME, vault_lock
from drillbook.decide.backup import plan_backup
from drillbook.errors import CheckFailed, Locked, VaultError
from drillbook.observe.data import data_facts
from drillbook.observe.database import contents
from drillbook.target import Target, parse_target
from drillbook.vault.catalog import UNDER_WAY, Vault
from drillbook.vault.store import store_at

KEY = pyrage.x25519.Identity.generate()
SCHEMA = """
CREATE TABLE users (id int PRIMARY KEY, name text);
CREATE TABLE secrets (word text);
INSERT INTO users SELECT n, 'user ' || n FROM generate_series(1, 300) AS n;
INSERT INTO secrets VALUES ('the-word-that-must-not-be-seen');
"""


@pytest.fixture
def db(postgres_server: Cluster, database: str) -> Iterator[psycopg.Connection]:
    with writer(postgres_server, database) as connection:
        connection.execute(SCHEMA)
        yield connection


def with_backup(target: Target, tmp_path: Path, **backup: Any) -> Target:
    """*target* with these keys of its `backup`."""
    (tmp_path / "age.key").write_text(f"{KEY}\n")
    raw = {
        "name": target.name,
        "databases": {key: db.model_dump(exclude_defaults=True) for key, db in target.databases.items()},
        "backup": {"vault": str(tmp_path / "vault"), "staging": str(tmp_path / "staging"), **backup},
    }
    return parse_target(raw, tmp_path / "unit.yaml")


SEALED = {"encrypt_to": [str(KEY.to_public())], "decrypt_with": "file:age.key"}


@pytest.fixture(params=["disk, encrypted", "s3", "s3, encrypted"])
def elsewhere(request: pytest.FixtureRequest, target: Target, tmp_path: Path) -> Target:
    """A target whose vault is not a plain folder."""
    given: dict[str, Any] = dict(SEALED) if "encrypted" in request.param else {}
    if request.param.startswith("s3"):
        bucket: Bucket = request.getfixturevalue("bucket")
        given |= {"vault": bucket.url, "vault_options": bucket.options}
    return with_backup(target, tmp_path, **given)


def everything(target: Target) -> dict[str, bytes]:
    """name → content of what lies in the vault."""
    store = Vault.of(target).store
    return {name: store.read(name) for name in store.sizes()}


def left(folder: Path) -> list[str]:
    """What lies in a target's folder of the staging place."""
    return sorted(path.name for path in folder.glob("*/*"))


def digests(target: Target) -> dict[str, tuple[int, str | None]]:
    return {table.name: (table.rows, table.sum64) for table in contents(target)["main"].tables}


def test_the_whole_round_through_any_vault(db: psycopg.Connection, elsewhere: Target, tmp_path: Path) -> None:
    """Backed up, read back, proven, restored; nothing stays behind in the clear; encrypted, nothing is readable."""
    before, taken = digests(elsewhere), take_backup(elsewhere)
    vault = Vault.of(elsewhere)
    assert vault.damage(taken) == {}
    assert take_drill(elsewhere, taken)["verdict"] == "pass"
    proven = vault.get(taken.name)
    assert proven.verdict == "proven"
    db.execute("DELETE FROM users")
    assert put_back(elsewhere, proven)["verdict"] == "pass"
    assert digests(elsewhere) == before
    assert left(tmp_path / "staging") == []
    words = b"".join(everything(elsewhere).values())
    if elsewhere.backup.encrypt_to:
        assert not [word for word in (b"users", b"secrets", b"user 7", b"must-not-be-seen", b"PGDMP") if word in words]
        assert all(name.endswith((".age", "manifest.json")) or "/proof-" in name for name in everything(elsewhere))
        assert (proven.header.rows, proven.header.tables) == (301, 2)


def test_without_the_key_an_encrypted_backup_is_listed_and_not_read(
    db: psycopg.Connection, target: Target, tmp_path: Path
) -> None:
    """The machine that makes backups needs no key: name, age and verdict are known, a drill is refused with a hint."""
    holder = with_backup(target, tmp_path, **SEALED)
    bare = with_backup(target, tmp_path, encrypt_to=SEALED["encrypt_to"])
    taken = take_backup(bare)
    assert (taken.manifest, taken.verdict, taken.is_sealed) == (None, "unproven", True)
    with pytest.raises(VaultError, match="encrypted") as caught:
        taken.whole()
    assert "decrypt_with" in caught.value.hint
    take_drill(holder, Vault.of(holder).get(taken.name))
    seen = Vault.of(bare).get(taken.name)
    assert (seen.verdict, seen.proofs[0].checks) == ("proven", ())


def test_a_target_may_be_called_anything(db: psycopg.Connection, target: Target, tmp_path: Path) -> None:
    """Even after the words that manifests are made of."""
    for name in ("sealed", "age", "manifest"):
        named = with_backup(target.model_copy(update={"name": name}), tmp_path, **SEALED)
        assert take_drill(named, take_backup(named))["verdict"] == "pass"


@pytest.mark.parametrize("where", [0, 0.5, 1])
def test_a_bit_of_an_encrypted_backup_is_seen(
    db: psycopg.Connection, target: Target, tmp_path: Path, where: float
) -> None:
    """First, middle or last byte of any of its files: the drill is red."""
    sealed = with_backup(target, tmp_path, **SEALED)
    taken = take_backup(sealed)
    file = max(taken.folder.rglob("*.dat.gz.age"), key=lambda path: path.stat().st_size)
    data = bytearray(file.read_bytes())
    data[int(where * (len(data) - 1))] ^= 1
    file.write_bytes(data)
    with pytest.raises(CheckFailed, match="checksums"):
        take_drill(sealed, taken)
    assert Vault.of(sealed).damage(taken) == {file.relative_to(taken.folder).as_posix(): "differs"}


def test_an_s3_that_goes_away_midway_leaves_no_backup(
    db: psycopg.Connection, target: Target, tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fact names the vault; what was sent is no backup, and is swept by the next one, which is whole."""
    remote = with_backup(target, tmp_path, vault=bucket.url, vault_options=bucket.options)
    real, sent = backups.publish, []

    def cut(store: Any, *given: Any) -> str:
        put = store.put

        def once(file: Path, name: str) -> None:
            if sent:
                raise VaultError(f"the vault {store.url} could not be written: unreachable", "")
            sent.append(name)
            put(file, name)

        monkeypatch.setattr(store, "put", once)
        monkeypatch.setattr(store, "remove_folder", lambda _name: (_ for _ in ()).throw(VaultError("unreachable")))
        return real(store, *given)

    with monkeypatch.context() as patch, pytest.raises(VaultError, match="could not be written"):
        patch.setattr(backups, "publish", cut)
        take_backup(remote)
    assert Vault.of(remote).backups() == ()
    half = sent[0].split("/")[0]
    assert f"{half}/{UNDER_WAY}" in everything(remote)
    store = Vault.of(remote).store
    store.remove(f"{half}/{UNDER_WAY}")
    store.write(json.dumps(ghost_owner()).encode(), f"{half}/{UNDER_WAY}")
    taken = take_backup(remote)
    assert {name.split("/")[0] for name in everything(remote)} == {taken.name}
    assert take_drill(remote, taken)["verdict"] == "pass"
    assert left(tmp_path / "staging") == []


def test_a_vault_that_cannot_be_reached_ends_a_drill_without_a_verdict(
    db: psycopg.Connection, target: Target, tmp_path: Path, bucket: Bucket
) -> None:
    """Out of reach is not broken: no proof is written, neither good nor bad."""
    remote = with_backup(target, tmp_path, vault=bucket.url, vault_options=bucket.options)
    taken = take_backup(remote)
    bucket.stop()
    with pytest.raises(VaultError, match="could not be"), opened(remote, taken):
        pass
    assert left(tmp_path / "staging") == []


def test_two_backups_at_once_are_one(db: psycopg.Connection, target: Target, tmp_path: Path) -> None:
    """The second is told who holds the vault; the first is whole."""
    caught: list[BaseException] = []

    def second() -> None:
        try:
            take_backup(target)
        except Locked as error:
            caught.append(error)

    with vault_lock(Vault.of(target).store, "another run"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(60)
    assert "another run" in str(caught[0])
    assert Vault.of(target).backups() == ()
    assert take_backup(target).verdict == "unproven"


def test_the_lock_of_a_dead_process_is_taken_over_and_of_another_host_is_not(tmp_path: Path) -> None:
    """kill -9 leaves its lock; it must not hold up the next night."""
    store = store_at(str(tmp_path))
    store.write(json.dumps(ghost_owner()).encode(), NAME)
    with vault_lock(store, "mine"), pytest.raises(Locked, match="mine"), vault_lock(store, "other"):
        pass
    assert store.sizes() == {}
    store.write(json.dumps({"host": "elsewhere", "pid": "1", "pid_started": "1"}).encode(), NAME)
    with pytest.raises(Locked, match="elsewhere") as caught, vault_lock(store, "mine"):
        pass
    assert NAME in caught.value.hint


@pytest.mark.parametrize("kind", ["disk", "s3"])
def test_a_second_vault_holds_each_file_once_and_is_a_vault(
    db: psycopg.Connection, target: Target, tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    """Two backups with one changed table share the rest; proofs follow; a drill from the copy alone passes."""
    copy: dict[str, Any] = {"vault": str(tmp_path / "second")}
    if kind == "s3":
        bucket: Bucket = request.getfixturevalue("bucket")
        copy = {"vault": bucket.url, "vault_options": bucket.options}
    first = with_backup(target, tmp_path, copies=[copy])
    one = take_backup(first)
    take_drill(first, one)
    db.execute("UPDATE users SET name = 'changed' WHERE id = 1")
    two = take_backup(first)
    other = copies.second(first, 0)
    names = [name for name in other.store.sizes() if name.startswith("objects/")]
    files = set(one.header.checksums.values()) | set(two.header.checksums.values())
    assert len(names) == len(files) < len(one.places) + len(two.places)
    assert [backup.verdict for backup in other.backups()] == ["proven", "unproven"]
    alone = with_backup(target, tmp_path, **copy)
    for backup in Vault.of(alone).backups():
        assert Vault.of(alone).damage(backup) == {}
        assert take_drill(alone, backup)["verdict"] == "pass"
    assert left(tmp_path / "staging") == []


def test_a_damaged_file_is_not_copied(db: psycopg.Connection, target: Target, tmp_path: Path) -> None:
    """It would lie under the name of good content, and stand for it in every later backup."""
    taken = take_backup(target)
    file = max(taken.folder.rglob("*.dat.gz"), key=lambda path: path.stat().st_size)
    file.write_bytes(file.read_bytes()[:-1])
    db.execute("UPDATE users SET name = 'changed'")  # else the next backup would bring the same file, whole
    first = with_backup(target, tmp_path, copies=[{"vault": str(tmp_path / "second")}])
    with pytest.raises(VaultError, match="not what its manifest says"):
        take_backup(first)
    second = copies.second(first, 0)
    assert [backup.name for backup in second.backups()] == [Vault.of(first).backups()[-1].name]
    assert second.damage(second.backups()[0]) == {}


def test_what_the_rules_let_go_is_removed_here_and_there(
    db: psycopg.Connection, target: Target, tmp_path: Path
) -> None:
    """In the vault and its copy; files that another backup needs stay; the newest proven one stays."""
    rules = {"last": 1, "daily": 0, "weekly": 0, "monthly": 0, "minimum": 1}
    kept = with_backup(target, tmp_path, copies=[{"vault": str(tmp_path / "second")}], retention=rules)
    one = take_backup(kept)
    take_drill(kept, one)
    two = take_backup(kept)
    assert [b.name for b in Vault.of(kept).backups()] == [one.name, two.name]
    take_drill(kept, two)
    three = take_backup(kept)
    assert [b.name for b in Vault.of(kept).backups()] == [two.name, three.name]
    other = copies.second(kept, 0)
    assert [b.name for b in other.backups()] == [two.name, three.name]
    assert all(other.damage(backup) == {} for backup in other.backups())
    needed = set(two.header.checksums.values()) | set(three.header.checksums.values())
    assert {n.rsplit("/")[-1] for n in other.store.sizes() if n.startswith("objects/")} == needed


def test_a_removal_that_was_cut_leaves_no_half_backup(db: psycopg.Connection, target: Target, tmp_path: Path) -> None:
    """From its first moment it is no backup any more, and the next backup sweeps the rest."""
    taken = take_backup(target)
    store = Vault.of(target).store
    store.write(json.dumps(ghost_owner()).encode(), f"{taken.name}/{UNDER_WAY}")
    store.remove(f"{taken.name}/manifest.json")
    assert Vault.of(target).backups() == ()
    fresh = take_backup(target)
    assert {name.split("/")[0] for name in store.sizes()} == {fresh.name}


def test_a_second_vault_out_of_reach_spoils_no_backup(db: psycopg.Connection, target: Target, tmp_path: Path) -> None:
    """The backup is whole in the first vault; the run fails and says so; the next one brings the copy up to date."""
    (tmp_path / "blocked").write_text("a file where a folder must be")
    blocked = with_backup(target, tmp_path, copies=[{"vault": str(tmp_path / "blocked")}])
    plan = plan_backup(blocked.name, blocked.identity, data_facts(blocked), copies=["blocked"])
    with pytest.raises(VaultError, match="could not be written") as caught:
        carry_out(blocked, plan)
    assert "is whole in" in caught.value.hint
    assert [backup.verdict for backup in Vault.of(blocked).backups()] == ["unproven"]
    (tmp_path / "blocked").unlink()
    take_backup(blocked)
    assert len(copies.second(blocked, 0).backups()) == 2


def test_secrets_of_a_vault_are_named_never_written(target: Target, tmp_path: Path) -> None:
    """A key written into the target's file is refused when it is read."""
    from drillbook.errors import BadTarget

    with pytest.raises(BadTarget, match="env:NAME"):
        with_backup(target, tmp_path, vault="s3://b/p", vault_options={"secret": "hunter2"})
