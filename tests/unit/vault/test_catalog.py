"""Which backups the vault has, and which of them count."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drillbook.errors import VaultError
from drillbook.vault import manifest as manifests
from drillbook.vault.catalog import Backup, Vault
from drillbook.vault.manifest import Manifest
from drillbook.vault.proof import Proof

NOW = datetime(2025, 10, 13, 12, tzinfo=UTC)


def backup(vault: Vault, name: str, hours: float) -> Backup:
    """A whole backup with nothing in it that ended *hours* ago."""
    ended = NOW - timedelta(hours=hours)
    folder = vault.store.folder / name
    folder.mkdir(parents=True)
    made = Manifest(
        name=name, target="unit", identity="i", drillbook="0", started=ended, ended=ended, servers={}, databases={}
    )
    manifests.write(made, folder)
    return vault.get(name)


def proof(of: Backup, verdict: str = "pass", minutes: int = 0, tier: str = "full") -> Proof:
    at = NOW + timedelta(minutes=minutes)
    return Proof.model_validate({
        "backup": of.name, "manifest_sha256": of.manifest_sha256, "verdict": verdict, "started": at, "ended": at,
        "rto_seconds": 1.0, "checks": (), "tier": tier,
    })  # fmt: skip


def test_an_empty_or_absent_vault_has_no_backups(tmp_path: Path) -> None:
    """Not an error: a first night has none."""
    assert Vault(tmp_path / "none").backups() == ()
    assert Vault(tmp_path / "none").latest() is None


def test_a_partial_folder_is_no_backup(tmp_path: Path) -> None:
    """Its name begins with a dot until it is finished."""
    (tmp_path / ".partial-x").mkdir()
    assert Vault(tmp_path).backups() == ()


@pytest.mark.parametrize(
    "checksums", [{"../../etc/passwd": "a" * 64}, {"/etc/passwd": "a" * 64}, {"a/../../b": "a" * 64}, {"a": "../../b"}]
)
def test_a_manifest_names_nothing_outside_its_folder(tmp_path: Path, checksums: dict[str, str]) -> None:
    """Whoever can write to the vault must not reach beyond it: such a backup is broken, and never opened."""
    vault = Vault(tmp_path)
    made = backup(vault, "20251013T100000Z-aaaaaa", 2)
    raw = json.loads((made.folder / manifests.FILE).read_text())
    (made.folder / manifests.FILE).write_text(json.dumps({**raw, "own_sha256": "", "checksums": checksums}))
    assert vault.get(made.name).verdict == "broken"


def test_the_newest_proof_decides(tmp_path: Path) -> None:
    """A backup that failed its last drill is failed, whatever an older proof says; unknown proves nothing."""
    vault = Vault(tmp_path)
    made = backup(vault, "20251013T100000Z-aaaaaa", 2)
    assert made.verdict == "unproven"
    assert vault.add_proof(made, proof(made)).verdict == "proven"
    assert vault.add_proof(made, proof(made, "fail", 1)).verdict == "failed"
    assert vault.add_proof(made, proof(made, "unknown", 2)).verdict == "unproven"


def test_only_a_full_proof_proves_and_any_failing_one_unproves(tmp_path: Path) -> None:
    """A drill that left checks out and passed, or that could not tell, changes nothing in a backup's standing."""
    vault = Vault(tmp_path)
    made = backup(vault, "20251013T100000Z-aaaaaa", 2)
    for minute, (verdict, tier, standing) in enumerate([
        ("pass", "fast", "unproven"), ("pass", "sample", "unproven"), ("pass", "full", "proven"),
        ("pass", "fast", "proven"), ("unknown", "sample", "proven"), ("fail", "fast", "failed"),
        ("pass", "sample", "failed"), ("pass", "full", "proven"), ("unknown", "full", "unproven"),
    ]):  # fmt: skip
        assert vault.add_proof(vault.get(made.name), proof(made, verdict, minute, tier)).verdict == standing


def test_a_proof_from_before_there_were_tiers_is_a_full_one(tmp_path: Path) -> None:
    """Its backup stays proven."""
    vault = Vault(tmp_path)
    made = backup(vault, "20251013T100000Z-aaaaaa", 2)
    old = proof(made).model_dump(mode="json", exclude={"tier", "left_out"})
    (made.folder / "proof-20251013T120000.000000Z.json").write_text(json.dumps(old))
    assert vault.get(made.name).verdict == "proven"


def test_latest_proven_is_young_enough_and_proven(tmp_path: Path) -> None:
    """A newer one without a proof does not count, nor an old one with."""
    vault = Vault(tmp_path)
    old, good, fresh = (backup(vault, f"20251013T{h:02}0000Z-aaaaa{h}", 12 - h) for h in (1, 2, 3))
    for one in (old, good):
        vault.add_proof(one, proof(one))
    found = vault.latest_proven(timedelta(hours=10), NOW)
    assert found is not None
    assert found.name == good.name
    assert vault.latest_proven(timedelta(hours=1), NOW) is None
    newest = vault.latest()
    assert newest is not None
    assert newest.name == fresh.name


def test_a_broken_manifest_hides_no_other_backup(tmp_path: Path) -> None:
    """It is listed as broken, with the fact; what is asked of it is refused."""
    vault = Vault(tmp_path)
    good, bad = backup(vault, "20251013T100000Z-aaaaaa", 2), backup(vault, "20251013T110000Z-bbbbbb", 1)
    (bad.folder / manifests.FILE).write_text('{"format": 1')
    verdicts = {one.name: one.verdict for one in vault.backups()}
    assert verdicts == {good.name: "unproven", bad.name: "broken"}
    with pytest.raises(VaultError, match="is broken"):
        vault.get(bad.name).whole()
    newest = vault.latest()
    assert newest is not None
    assert newest.name == good.name


def test_a_backup_is_found_by_its_last_digits(tmp_path: Path) -> None:
    """And a name that is none is told with those there are."""
    vault = Vault(tmp_path)
    made = backup(vault, "20251013T100000Z-aaaaaa", 2)
    assert vault.get("aaaaaa").name == made.name
    with pytest.raises(VaultError, match="no backup called 'zzzzzz'") as caught:
        vault.get("zzzzzz")
    assert made.name in caught.value.hint
