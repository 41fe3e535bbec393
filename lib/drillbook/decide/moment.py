"""Plan a restore to a moment: which backup leads there, and the steps of an ordinary restore with recovery before."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from drillbook.decide.chosen import Wanted
from drillbook.decide.pgbackrest import HOURS, Goal, own_goal, recovery
from drillbook.decide.plan import Plan, Step
from drillbook.errors import BadParameters, NoUsableBackup, RunbookError
from drillbook.observe.pgbackrest import Stanza
from drillbook.observe.places import DataFacts
from drillbook.vault.catalog import Backup
from drillbook.vault.manifest import PhysicalEntry

SWITCH = "SELECT txid_current(); SELECT pg_switch_wal()"
"""A transaction that ends after the moment, for recovery to see that it has come past it, and then the WAL sent off."""
OURS = {
    "restore.roles": "pgbackrest.roles",
    "restore.database": "pgbackrest.transfer",
    "restore.check": "pgbackrest.check",
    "restore.compare": "pgbackrest.compare",
}
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
SHARED = ("restore.checksums", "restore.switch", "restore.volume_keep", "restore.volume_fill", "restore.volume_start")


def is_moment(name: str) -> bool:
    """Whether *name* spells a moment, and no backup's name: those have no dashes in their date."""
    return DATE.match(name) is not None


def moment(text: str, now: datetime) -> datetime:
    """The moment that *text* names: ISO 8601, with its zone.

    Raises:
        BadParameters: it is not such a time, or it is not past yet.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadParameters(f"backup: {text!r} is no time", "write it as 2025-10-13T02:59:00Z") from error
    if found.tzinfo is None:
        raise BadParameters(f"backup: the moment {text} has no zone", f"write {text}Z for UTC, or {text}+02:00")
    if found >= now:
        raise BadParameters(
            f"backup: {found.astimezone(UTC).isoformat()} is not past yet: it is {now.isoformat(timespec='seconds')}",
            "name a moment before the loss",
        )
    return found.astimezone(UTC)


def newest_before(backups: Iterable[Backup], identity: str, until: datetime) -> Backup:
    """The newest backup with pgBackRest that ended before *until*; the WAL of the archive leads from there.

    Raises:
        NoUsableBackup: there is none; the first moment that can be had is told.
    """
    ours = [b for b in backups if b.manifest is not None and b.manifest.identity == identity and b.manifest.physical]
    if not ours:
        raise NoUsableBackup(
            "no backup of this target was taken with pgBackRest, so there is no way to a moment between backups",
            "04-restore of a backup's name puts that back; backup.engine: pgbackrest makes moments possible",
        )
    usable = [backup for backup in ours if first_moment(backup) <= until]
    if not usable:
        first = min(first_moment(backup) for backup in ours)
        raise NoUsableBackup(
            f"{until.isoformat()} lies before the end of the first backup, {first.isoformat()}",
            "name a moment after that, or restore that backup as it is",
        )
    return max(usable, key=first_moment)


def first_moment(backup: Backup) -> datetime:
    """The earliest moment that *backup* can be recovered to; pgBackRest tells its end in whole seconds."""
    return max(entry.stopped for entry in backup.whole().physical.values()) + timedelta(seconds=1)


def goal_of(entry: PhysicalEntry, until: datetime | None) -> Goal:
    """*until* along the newest timeline, or the backup's own restore point."""
    return own_goal(entry) if until is None else Goal("time", until.isoformat(sep=" "), "latest")


def named_after(backup: Backup, until: datetime | None) -> Backup:
    """*backup* under the name that a restore to *until* names its databases after, no two moments alike."""
    if until is None:
        return backup
    digest = hashlib.sha256(f"{backup.name} {until.isoformat()}".encode()).hexdigest()
    return replace(backup, name=f"{backup.name}-{digest[:6]}")


def asked_as(backup: Backup, until: datetime | None) -> str:
    """What 04-restore is asked for to come here again."""
    return backup.name if until is None else until.isoformat()


def without_volumes(choice: Wanted, until: datetime | None) -> Wanted:
    """*choice*, where a moment brings back no volumes unless they are named: they have no moments."""
    return choice if until is None or choice.volumes != ("auto",) else replace(choice, volumes=("none",))


def physical_restore(
    plan: Plan, backup: Backup, facts: DataFacts, stanza: Stanza, command: tuple[str, ...], until: datetime | None
) -> Plan:
    """The ordinary *plan* of a restore, with a scratch server recovered first, and databases moved over from it.

    Raises:
        NoUsableBackup: the backup's set is not in the repository any more.
        RunbookError: the plan asks for something that this engine does not do.
    """
    [(key, entry)] = backup.whole().physical.items()
    if entry.label not in stanza.labels:
        raise NoUsableBackup(
            f"set {entry.label} of backup {backup.name} is not in the repository of stanza {stanza.name} any more",
            f"choose another backup; it holds: {', '.join(stanza.labels) or 'none'}",
        )
    foreign = [step.verb for step in plan.steps if step.verb not in (*OURS, *SHARED)]
    if foreign:
        raise RunbookError(
            f"a restore by pgBackRest has no step {foreign[0]}",
            "restore the database beside (into=beside), and copy from it",
        )
    goal = goal_of(entry, until)
    first, *rest = (replace(step, verb=OURS.get(step.verb, step.verb)) for step in plan.steps)
    steps = (first, *_before(key, entry, facts, goal), _recover(key, entry, command, goal), *rest)
    basis = {**plan.basis, "set": entry.label, "goal": goal.as_json()}
    kept = (note for note in plan.notes if not note.startswith(f"backup {named_after(backup, until).name} is "))
    notes = (note.replace(named_after(backup, until).name, asked_as(backup, until)) for note in kept)
    return replace(plan, basis=basis, steps=steps, notes=(*notes, *_notes(backup, entry, facts, until)))


def _before(key: str, entry: PhysicalEntry, facts: DataFacts, goal: Goal) -> Iterable[Step]:
    """For a moment: what the live server has not archived yet, where it is still the server of the backup."""
    if goal.type == "time" and _alive(entry, facts):
        yield Step("archive", "pgbackrest.archive", entry.stanza, sql=SWITCH, args={"key": key})


def _alive(entry: PhysicalEntry, facts: DataFacts) -> bool:
    return any(server.system_identifier == entry.system_identifier for server in facts.servers.values())


def _recover(key: str, entry: PhysicalEntry, command: tuple[str, ...], goal: Goal) -> Step:
    return Step(
        "recover", "pgbackrest.recover", entry.label, argv=recovery(command, entry.label, goal),
        args={"key": key, **goal.as_json()}, timeout_seconds=12 * HOURS,
    )  # fmt: skip


def _notes(backup: Backup, entry: PhysicalEntry, facts: DataFacts, until: datetime | None) -> tuple[str, ...]:
    notes = [] if backup.verdict == "proven" else [f"backup {backup.name} is {backup.verdict}, not proven"]
    if until is not None:
        notes.append(
            "no manifest tells what was there at that moment: what is switched in is held against the recovery"
        )
        if not _alive(entry, facts):
            notes.append("the live server is not the one of the backup: WAL that it had not archived is lost")
    return tuple(notes)
