"""The backups in a target's vault, as the planner needs them."""

from __future__ import annotations

from datetime import UTC, datetime

from drillbook.observe.facts import BackupFact
from drillbook.target import Target
from drillbook.vault.catalog import Vault


def backup_facts(target: Target) -> tuple[BackupFact, ...]:
    """The whole backups in the target's vault, oldest first."""
    now = datetime.now(UTC)
    return tuple(
        BackupFact(
            name=backup.name,
            ended=backup.ended.isoformat(),
            age_seconds=backup.age_seconds(now),
            proven=backup.verdict == "proven",
            rows={
                f"{key}/{t.name}": t.rows for key, db in backup.manifest.databases.items() for t in db.content.tables
            },
            identity=backup.manifest.identity,
        )
        for backup in Vault.of(target).backups()
        if backup.manifest is not None
    )
