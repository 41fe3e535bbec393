"""Plans with pgBackRest: whole argv compared, no mocks; and what is refused before anything starts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from drillbook.decide.backup import plan_backup
from drillbook.decide.chosen import Wanted
from drillbook.decide.drill import plan_drill
from drillbook.decide.ladder import Asked
from drillbook.decide.moment import is_moment, moment, named_after, newest_before, physical_restore, without_volumes
from drillbook.decide.pgbackrest import (
    backup_type,
    compare_untied,
    physical_backup,
    physical_drill,
    refuse_live,
    verified,
)
from drillbook.decide.restore import plan_restore
from drillbook.decide.sound import sound
from drillbook.errors import NoUsableBackup, RunbookError
from drillbook.observe.pgbackrest import BackupSet, Stanza, parsed
from drillbook.observe.places import DatabasePlace, DataFacts, ServerPlace
from drillbook.target import PgBackRest
from drillbook.vault.catalog import Backup
from drillbook.vault.content import DatabaseContent, TableDigest
from drillbook.vault.manifest import DumpEntry, Manifest, PhysicalEntry, ServerEntry
from drillbook.vault.store import store_at

NIGHT = datetime(2025, 10, 13, 3, 0, tzinfo=UTC)
COMMAND = ("runuser", "-u", "postgres", "--", "pgbackrest", "--config=/etc/pgbackrest.conf", "--stanza=main")
LABEL = "20251013-010000F"
SET = BackupSet(LABEL, "full", NIGHT, NIGHT, "0/3000050", (), 100, 10, "2.45")
STANZA = Stanza("main", 0, "ok", "42", "archive/main/15-1", (SET,))
FACTS = DataFacts(
    {"shop": ServerPlace("shop", "15.18", "postgres", "42", ("shop",), ("postgres", "shop"))},
    {"shop": DatabasePlace("shop", "shop", "shop", True, 1000)},
    vault="/vault",
)
CONTENT = DatabaseContent(
    database="shop", server_version="15.18", algorithm="record64-v1",
    tables=(TableDigest(schema_name="public", table="orders", rows=3, sum64="7"),),
)  # fmt: skip


def backup(hours: float = 2, tied: bool = True, physical: bool = True) -> Backup:
    """One that ended so many hours before the night's loss."""
    stopped = NIGHT - timedelta(hours=hours)
    name = f"{stopped:%Y%m%dT%H%M%SZ}-abcdef"
    entry = PhysicalEntry(
        version="2.45", stanza="main", label=LABEL, type="full", stopped=stopped, stop_lsn="0/3000050",
        restore_point=f"drillbook-{name}-1", at=stopped, lsn="0/4026680", wal="000000030000000000000004", tied=tied,
        system_identifier="42", data_directory="/var/lib/postgresql/15/main", bytes=100, repository_bytes=10,
    )  # fmt: skip
    manifest = Manifest(
        name=name, target="shop", identity="me", drillbook="0", started=stopped, ended=stopped,
        servers={"shop": ServerEntry(version="15.18", user="postgres")},
        databases={"shop": DumpEntry(server="shop", folder="", content=CONTENT, compression="", client_version="x",
                                     seconds=1, empty=False)},
        physical={"shop": entry} if physical else {},
    )  # fmt: skip
    return Backup(name, store_at("/vault"), manifest, manifest, "digest", (), 10)


def steps_of(plan) -> list[tuple[str, str]]:
    return [(step.id, step.verb) for step in plan.steps]


def test_a_set_takes_the_place_of_dumps_and_roles() -> None:
    """And nothing is expired by the way: the last proof may rest on what retention would remove."""
    plan = physical_backup(plan_backup("shop", "me", FACTS), FACTS, STANZA, "incr", COMMAND)
    assert steps_of(plan) == [
        ("begin", "backup.begin"),
        ("pgbackrest", "pgbackrest.backup"),
        ("restore-point", "pgbackrest.tie"),
        ("finish", "backup.finish"),
    ]
    assert plan.steps[1].argv == (*COMMAND, "--type=incr", "--no-expire-auto", "backup")
    assert plan.steps[2].sql == "SELECT pg_create_restore_point('drillbook-BACKUP'); SELECT pg_switch_wal()"
    assert plan.destroys == ()


def test_another_servers_stanza_is_refused() -> None:
    """Digests of one server and files of another would be told apart only by the drill."""
    other = replace(STANZA, system_identifier="43")
    with pytest.raises(RunbookError, match="stanza main holds the server 43, and the target's is 42"):
        physical_backup(plan_backup("shop", "me", FACTS), FACTS, other, "full", COMMAND)


@pytest.mark.parametrize(
    ("wanted", "sets", "days", "kind"),
    [
        ("auto", (), 0, "full"),
        ("incr", (), 0, "full"),
        ("auto", (SET,), 6, "incr"),
        ("auto", (SET,), 8, "full"),
        ("diff", (SET,), 8, "diff"),
    ],
)
def test_the_kind_of_a_set(wanted, sets, days: int, kind: str) -> None:
    """Full when there is none or it is a week old; else what the target's file says."""
    section = PgBackRest(stanza="main", type=wanted)
    assert backup_type(section, sets, NIGHT + timedelta(days=days)) == kind


def test_a_drill_restores_into_the_scratch_folder_and_nowhere_else() -> None:
    """Links, tablespaces and recovery options of the configuration are set back; the timeline is the backup's own."""
    taken = backup()
    plan = physical_drill(plan_drill("shop", "me", taken.whole(), "digest"), taken.whole(), COMMAND)
    assert steps_of(plan) == [
        ("sweep", "drill.sweep"),
        ("checksums", "drill.checksums"),
        ("manifest", "drill.manifest"),
        ("verify-shop", "pgbackrest.verify"),
        ("recover-shop", "pgbackrest.drill"),
        ("compare-shop", "drill.compare"),
        ("amcheck-shop", "drill.amcheck"),
        ("proof", "drill.proof"),
    ]
    assert plan.steps[4].argv == (
        *COMMAND, f"--set={LABEL}", "--pg1-path=SCRATCH/data", "--tablespace-map-all=SCRATCH/tablespaces",
        "--type=name", "--target=drillbook-20251013T010000Z-abcdef-1", "--target-timeline=3",
        "--target-action=promote", "--archive-mode=off", "--no-delta", "--no-link-all", "--reset-link-map",
        "--reset-tablespace-map", "--reset-db-include", "--reset-db-exclude", "--reset-recovery-option",
        "--log-level-file=off", "restore",
    )  # fmt: skip


def test_a_fast_drill_reads_the_repository_and_recovers_nothing() -> None:
    """It proves nothing, as a fast drill of a dump."""
    manifest = backup().whole()
    plan = physical_drill(plan_drill("shop", "me", manifest, "digest", Asked("fast")), manifest, COMMAND)
    assert [verb for _, verb in steps_of(plan)][3:] == ["pgbackrest.verify", "drill.proof"]


def test_a_manifest_of_a_set_fits_itself_without_dumps() -> None:
    """And one that tells of a set of no server does not."""
    manifest = backup().whole()
    assert sound(manifest, manifest.name).verdict == "pass"
    stray = manifest.model_copy(update={"physical": {"other": manifest.physical["shop"]}})
    assert (
        "set 20251013-010000F is of a server that it does not tell of (other)" in sound(stray, manifest.name).observed
    )


def test_what_is_tied_to_nothing_is_compared_without_a_verdict() -> None:
    """Not even where it agrees."""
    manifest = backup(tied=False).whole()
    plan = physical_drill(plan_drill("shop", "me", manifest, "digest"), manifest, COMMAND)
    assert ("compare-shop", "pgbackrest.compare_untied") in steps_of(plan)
    assert {found.verdict for found in compare_untied(CONTENT, CONTENT)} == {"unknown"}


def test_a_restore_to_a_moment_recovers_first_and_switches_last() -> None:
    """What the live server has not archived is sent off before; volumes and the manifest's digests know no moment."""
    taken, until = backup(), NIGHT - timedelta(minutes=1)
    base = plan_restore("shop", named_after(taken, until), FACTS)
    plan = physical_restore(base, taken, FACTS, STANZA, COMMAND, until)
    assert steps_of(plan) == [
        ("checksums", "restore.checksums"),
        ("archive", "pgbackrest.archive"),
        ("recover", "pgbackrest.recover"),
        ("roles-shop", "pgbackrest.roles"),
        ("restore-shop", "pgbackrest.transfer"),
        ("check-shop", "pgbackrest.check"),
        ("switch-shop", "restore.switch"),
        ("compare", "pgbackrest.compare"),
    ]
    assert "--target=2025-10-13 02:59:00+00:00" in plan.steps[2].argv
    assert "--target-timeline=latest" in plan.steps[2].argv
    later = plan_restore("shop", named_after(taken, until + timedelta(seconds=1)), FACTS)
    assert later.steps[2].subject != base.steps[2].subject, "two moments share a database's name"


def test_a_lost_server_archives_nothing_more() -> None:
    """A new server in its place is not asked for the old one's WAL, and the plan says what that means."""
    server = replace(FACTS.servers["shop"], system_identifier="99")
    facts, taken, until = replace(FACTS, servers={"shop": server}), backup(), NIGHT
    base = plan_restore("shop", named_after(taken, until), facts)
    plan = physical_restore(base, taken, facts, STANZA, COMMAND, until)
    assert "pgbackrest.archive" not in [step.verb for step in plan.steps]
    assert any("WAL that it had not archived is lost" in note for note in plan.notes)


def test_a_step_that_this_engine_does_not_know_is_refused() -> None:
    """Rather than carried out on a folder that holds no dump."""
    taken = backup()
    base = plan_restore("shop", taken, FACTS)
    odd = replace(base, steps=(*base.steps, replace(base.steps[0], verb="restore.tables")))
    with pytest.raises(RunbookError, match=r"has no step restore\.tables"):
        physical_restore(odd, taken, FACTS, STANZA, COMMAND, None)


def test_the_newest_backup_that_ended_before_the_moment_is_chosen() -> None:
    """Dumps and other targets' backups lead nowhere; one that ends in the moment's own second may not have ended."""
    old, new, dump = backup(5), backup(1), backup(0.5, physical=False)
    assert newest_before((old, new, dump), "me", NIGHT) is new
    assert newest_before((old, new, dump), "me", NIGHT - timedelta(hours=1)) is old
    assert newest_before((old, new), "me", NIGHT - timedelta(hours=1) + timedelta(seconds=1)) is new
    with pytest.raises(NoUsableBackup, match="no backup of this target was taken with pgBackRest"):
        newest_before((dump,), "me", NIGHT)
    with pytest.raises(NoUsableBackup, match="no backup of this target"):
        newest_before((new,), "another", NIGHT)
    with pytest.raises(NoUsableBackup, match="lies before the end of the first backup, 2025-10-12T22:00:01"):
        newest_before((old, new), "me", NIGHT - timedelta(hours=6))


def test_a_backups_name_is_no_moment() -> None:
    """Nor is its end, by which it may be called."""
    assert is_moment("2025-10-13T02:59:00Z")
    assert not any(is_moment(name) for name in ("newest", backup().name, backup().short, ""))


def test_a_moment_beside_tells_the_command_that_puts_it_in_place() -> None:
    """By the moment; the made-up name that the databases are called after is in no command."""
    taken, until = backup(), NIGHT - timedelta(minutes=1)
    base = plan_restore("shop", named_after(taken, until), FACTS, without_volumes(Wanted(into="beside"), until))
    plan = physical_restore(base, taken, FACTS, STANZA, COMMAND, until)
    assert "restore.switch" not in [step.verb for step in plan.steps]
    [told] = [note for note in plan.notes if "to put it in place later" in note]
    assert "backup=2025-10-13T02:59:00+00:00" in told
    assert f"backup {taken.name} is unproven, not proven" in plan.notes
    assert not any(named_after(taken, until).name in note for note in plan.notes)


def test_volumes_have_no_moments() -> None:
    """They come along with a backup, and with a moment only where they are named."""
    assert without_volumes(Wanted(), None).volumes == ("auto",)
    assert without_volumes(Wanted(), NIGHT).volumes == ("none",)
    assert without_volumes(Wanted(volumes=("queue",)), NIGHT).volumes == ("queue",)


def test_a_moment_is_read_in_its_own_zone() -> None:
    """And known in UTC from then on."""
    assert moment("2025-10-13T04:59:00+02:00", NIGHT) == NIGHT - timedelta(minutes=1)


@pytest.mark.parametrize(
    "scratch", ["/var/lib/postgresql/15/main", "/var/lib/postgresql/15/main/tmp", "/var/lib/postgresql"]
)
def test_the_live_data_folder_is_never_the_scratch_folder(scratch: str) -> None:
    """Nor in it, nor around it; and not known is refused too."""
    with pytest.raises(RunbookError, match="lie in one another"):
        refuse_live("/var/lib/postgresql/15/main", scratch)
    with pytest.raises(RunbookError, match="is not known"):
        refuse_live("", scratch)
    refuse_live("/var/lib/postgresql/15/main", "/tmp/drillbook-p-x")


def test_verify_speaks_of_the_sets_that_a_backup_needs() -> None:
    """Silence is no yes, and another set's damage is not this one's."""
    entry = backup().whole().physical["shop"].model_copy(update={"reference": ("A",), "label": "A_B"})
    printed = """stanza: main
status: error
  archiveId: 15-1, total WAL checked: 4, total valid WAL: 4
  backup: A, status: valid, total files checked: 964, total valid files: 964
  backup: Z, status: invalid, total files checked: 964, total valid files: 963
"""
    assert verified(printed, entry) == {"A": "valid", "A_B": "not looked at"}


def test_info_of_an_unknown_stanza_is_told() -> None:
    """As pgBackRest 2.45 prints it."""
    text = '[{"backup":[],"db":[],"name":"x","status":{"code":1,"message":"missing stanza path"}}]'
    with pytest.raises(RunbookError, match="no such stanza: missing stanza path"):
        parsed(text)
