"""The backups in a target's vault, as the planner needs them."""

from __future__ import annotations

from datetime import UTC, datetime

from drillbook.observe.facts import ArchiveFact, BackupFact
from drillbook.observe.pgbackrest import missing
from drillbook.target import Target
from drillbook.vault.catalog import Backup, Vault


def backup_facts(target: Target) -> tuple[BackupFact, ...]:
    """The whole backups in the target's vault, oldest first.

    One whose set has left pgBackRest's repository is not proven any more.

    Raises:
        RunbookError: the vault, or the repository of pgBackRest that a backup needs, cannot be read.
    """
    now, found = datetime.now(UTC), Vault.of(target).backups()
    gone = missing(target, [backup.manifest for backup in found if backup.manifest is not None])
    return tuple(
        BackupFact(
            name=backup.name,
            ended=backup.ended.isoformat(),
            age_seconds=backup.age_seconds(now),
            proven=backup.verdict == "proven" and backup.name not in gone,
            rows=_rows(backup),
            identity=backup.identity,
            volumes=_volumes(backup),
        )
        for backup in found
        if backup.header is not None
    )


def _rows(backup: Backup) -> dict[str, int]:
    """Rows of every table; none where the backup is encrypted and its key is not here."""
    databases = backup.manifest.databases if backup.manifest else {}
    return {f"{key}/{table.name}": table.rows for key, db in databases.items() for table in db.content.tables}


def _volumes(backup: Backup) -> dict[str, ArchiveFact]:
    """Every volume's archive, as with `_rows`."""
    volumes = backup.manifest.volumes if backup.manifest else {}
    return {name: ArchiveFact(v.members, v.bytes, v.tree, v.keys) for name, v in volumes.items()}
