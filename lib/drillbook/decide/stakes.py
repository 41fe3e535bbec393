"""What a reset of data would empty: what of it is lost already, and which proven backups hold it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from drillbook.decide.bookkeeping import is_bookkeeping
from drillbook.decide.emptiness import data_rows
from drillbook.decide.lost import holding, lost
from drillbook.errors import NotObserved
from drillbook.observe.facts import ArchiveFact, BackupFact, HeldFact, Snapshot


@dataclass(frozen=True)
class Stake:
    """One database or volume. `gone` tells what of it is lost, empty for nothing; `remains`: something is in it now.

    `holders` are the proven backups, oldest first, that hold it, or what of it is gone: not those of it when empty.
    """

    name: str
    gone: str
    remains: bool
    holders: tuple[BackupFact, ...]

    def held_by(self, backup: BackupFact) -> bool:
        """Whether *backup* is one of the holders."""
        return backup.name in [holder.name for holder in self.holders]


def database_stakes(snapshot: Snapshot, proven: Sequence[BackupFact]) -> Iterator[Stake]:
    """Every database; each must have been read."""
    for fact in snapshot.databases:
        seen = lost(snapshot, fact, proven)
        filled = tuple(backup for backup in proven if data_rows(backup, fact.key))
        remains = bool(fact.unread) or any(rows for table, rows in fact.rows.items() if not is_bookkeeping(table))
        holders = holding(fact.key, seen, proven) if seen else filled
        yield Stake(fact.dbname, seen.said if seen else "", remains, holders)


def volume_stakes(snapshot: Snapshot, proven: Sequence[BackupFact], names: Collection[str]) -> Iterator[Stake]:
    """The volumes *names*.

    Raises:
        NotObserved: what one holds is not known.
    """
    for name in names:
        now = snapshot.held.get(name)
        if now is None:
            raise NotObserved(f"what volume {name} holds now is not known", "see that the engine answers; plan again")
        holders = tuple(b for b in proven if name in b.volumes and _is_filled(b.volumes[name], now))
        yield Stake(name, "it is empty now" if now.is_empty and holders else "", not now.is_empty, holders)


def _is_filled(archive: ArchiveFact, now: HeldFact) -> bool:
    """Whether the archive holds something. Keys that expire are not counted: of a cache of such alone it has files."""
    if archive.keys is not None and (now.is_empty or now.lasting):
        return archive.keys > 0
    return archive.members > 0
