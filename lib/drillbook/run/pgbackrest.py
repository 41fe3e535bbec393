"""Plans for targets whose backups pgBackRest makes: what is there is looked at, and the ordinary plan changed by it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from drillbook.act import pgbackrest_backup, pgbackrest_drill, pgbackrest_restore, wal
from drillbook.decide.moment import is_moment, moment, newest_before, physical_restore
from drillbook.decide.pgbackrest import backup_type, physical_backup, physical_drill
from drillbook.decide.plan import Plan
from drillbook.observe import pgbackrest
from drillbook.observe.places import DataFacts
from drillbook.show.view import View, callout
from drillbook.target import Target
from drillbook.vault.catalog import Backup, Vault
from drillbook.vault.manifest import Manifest

VERBS = (pgbackrest_backup, pgbackrest_drill, pgbackrest_restore, wal)
"""The modules whose actions these plans name."""


def backup(target: Target, plan: Plan, facts: DataFacts) -> Plan:
    """*plan* as the target's engine carries it out. Changes nothing."""
    if target.backup.engine != "pgbackrest":
        return plan
    stanza = pgbackrest.stanza(target)
    kind = backup_type(pgbackrest.described(target), stanza.sets, datetime.now(UTC))
    return physical_backup(plan, facts, stanza, kind, pgbackrest.command(target))


def drill(target: Target, plan: Plan, manifest: Manifest) -> Plan:
    """*plan* as the engine of this backup carries it out. Changes nothing."""
    return physical_drill(plan, manifest, pgbackrest.command(target)) if manifest.physical else plan


def choose(target: Target, name: str) -> tuple[Backup, datetime | None]:
    """The backup called *name* (or `proven`, or `newest`), or the one that leads to the moment that *name* spells.

    Raises:
        BadParameters: it spells a moment that is not past, or has no zone.
        NoUsableBackup: no backup leads to it.
    """
    vault = Vault.of(target)
    if not is_moment(name):
        return vault.choose(name, target.identity), None
    until = moment(name, datetime.now(UTC))
    return newest_before(vault.backups(), target.identity, until), until


def restore(target: Target, plan: Plan, chosen: Backup, facts: DataFacts, until: datetime | None) -> Plan:
    """*plan* as the engine of the *chosen* backup carries it out, to *until* or to the backup's own end.

    Raises:
        NoUsableBackup: its set is not in the repository any more.
    """
    if not chosen.whole().physical:
        return plan
    return physical_restore(plan, chosen, facts, pgbackrest.stanza(target), pgbackrest.command(target), until)


def remarks(manifest: Manifest | None) -> Iterator[View]:
    """What a person must know of a backup that lies in a repository of pgBackRest; nothing for another."""
    for entry in manifest.physical.values() if manifest else ():
        yield callout("note", f"pgBackRest set {entry.label}", f"restore point {entry.restore_point} at {entry.lsn}")
        if not entry.tied:
            told = "its content is tied to no restore point: it cannot be proven; take one at a quieter hour"
            yield callout("warn", "the server was never still", told)
        if entry.unlogged:
            yield callout("warn", "unlogged tables are in no physical backup", ", ".join(entry.unlogged))
