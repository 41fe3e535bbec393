"""What the vault tells of the past, as series for plots."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from drillbook.decide import history
from drillbook.vault.backup import Backup
from drillbook.vault.content import DatabaseContent, TableDigest
from drillbook.vault.manifest import DumpEntry, Manifest
from drillbook.vault.proof import Proof
from drillbook.vault.store import store_at

START = datetime(2025, 10, 1, tzinfo=UTC)


def hours(number: float) -> datetime:
    return START + timedelta(hours=number)


def entry(**rows: int) -> DumpEntry:
    tables = tuple(TableDigest(schema_name="public", table=t, rows=n, sum64="1") for t, n in rows.items())
    content = DatabaseContent(database="shop", server_version="15.1", algorithm="record64-v1", tables=tables)
    return DumpEntry(
        server="main", folder="main", content=content, compression="gzip", client_version="15", seconds=1, empty=False
    )


def proof(at: float, verdict: str = "pass", tier: str = "full", rto: float = 5.0) -> Proof:
    return Proof.model_validate({
        "backup": "b", "manifest_sha256": "m", "tier": tier, "verdict": verdict, "started": hours(at),
        "ended": hours(at), "rto_seconds": rto, "checks": (),
    })  # fmt: skip


def backup(at: float, *proofs: Proof, **rows: int) -> Backup:
    made = Manifest(
        name=f"b{at}", target="unit", identity="i", drillbook="0", started=hours(at), ended=hours(at + 0.5),
        servers={}, databases={"main": entry(**rows)},
    )  # fmt: skip
    return Backup(made.name, store_at(str(Path("/nowhere"))), made, made, "m", proofs, 1000)


def test_drills_are_in_the_order_in_which_they_ended() -> None:
    """Whatever backup they drilled."""
    found = history.drills([backup(1, proof(5)), backup(2, proof(3), proof(7))])
    assert [past.proof.ended for past in found] == [hours(3), hours(5), hours(7)]


def test_only_a_drill_that_restored_well_tells_what_a_restore_takes() -> None:
    """Not a fast one, and not one that broke off."""
    drilled = backup(1, proof(2, rto=5), proof(3, tier="fast", rto=0), proof(4, "fail", rto=1), proof(5, rto=6))
    assert history.restore_seconds([drilled]) == ((hours(2), 5.0), (hours(5), 6.0))


def test_sizes_and_durations_are_of_every_backup_but_the_broken() -> None:
    """A broken one has no time."""
    whole, broken = backup(1), Backup("x", store_at("/nowhere"), None, None, "", (), 5, "torn")
    assert history.sizes([broken, whole]) == ((hours(1.5), 1000.0),)
    assert history.durations([broken, whole]) == ((hours(1.5), 1800.0),)


def test_tables_that_change_most_come_first() -> None:
    """Then the largest; no more than asked for."""
    past = [backup(1, users=10, logs=100, flags=3), backup(2, users=20, logs=101, flags=3)]
    assert list(history.rows(past, most=2)) == ["public.users", "public.logs"]
    assert history.rows(past)["public.users"] == ((hours(1.5), 10.0), (hours(2.5), 20.0))


def test_the_age_of_the_last_proven_backup_is_a_sawtooth() -> None:
    """It falls when a newer backup is proven, and rises until now."""
    past = [backup(0, proof(1)), backup(24, proof(25))]
    told = [(moment, round(age, 6)) for moment, age in history.proven_age(past, hours(30))]
    assert told == [(hours(1), 1.0), (hours(25), 25.0), (hours(25), 1.0), (hours(30), 6.0)]


def test_a_backup_that_failed_later_is_proven_no_more() -> None:
    """The age rises to that of the one before; a fast drill that passes proves nothing."""
    past = [backup(0, proof(1)), backup(24, proof(25), proof(26, "fail", "fast")), backup(28, proof(29, tier="fast"))]
    assert history.proven_age(past, hours(30))[-1] == (hours(30), 30.0)
    assert history.proven_age([backup(0, proof(1, tier="sample"))], hours(9)) == ()
