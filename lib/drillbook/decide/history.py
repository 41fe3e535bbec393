"""What the vault's backups and their proofs tell of the past: as rows and as series, for tables and plots.

Only backups that the vault still holds tell anything; what retention removed took its proofs with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from drillbook.vault.backup import Backup
from drillbook.vault.proof import Proof

MOST_TABLES = 6
HOUR = 3600
Series = tuple[tuple[datetime, float], ...]
"""Moments with what was measured at each, in order."""


@dataclass(frozen=True)
class Past:
    """One drill of one backup."""

    backup: Backup
    proof: Proof


def drills(backups: Iterable[Backup]) -> tuple[Past, ...]:
    """Every drill that left a proof, oldest first."""
    found = [Past(backup, proof) for backup in backups for proof in backup.proofs]
    return tuple(sorted(found, key=lambda past: past.proof.ended))


def restore_seconds(backups: Iterable[Backup]) -> Series:
    """What a restore took in each drill that restored; a failed one says nothing of how long a restore takes."""
    timed = (past.proof for past in drills(backups) if past.proof.verdict == "pass" and past.proof.rto_seconds > 0)
    return tuple((proof.ended, proof.rto_seconds) for proof in timed)


def sizes(backups: Iterable[Backup]) -> Series:
    """The bytes that each backup takes in the vault."""
    return tuple((backup.ended, float(backup.bytes)) for backup in backups if backup.header)


def durations(backups: Iterable[Backup]) -> Series:
    """The seconds that each backup took; none where a clock was set back meanwhile."""
    taken = ((b.ended, (b.ended - b.header.started).total_seconds()) for b in backups if b.header)
    return tuple((moment, seconds) for moment, seconds in taken if seconds >= 0)


def rows(backups: Iterable[Backup], most: int = MOST_TABLES) -> dict[str, Series]:
    """table → its rows in each backup: of the tables that changed most, then of the largest, *most* at most."""
    found: dict[str, list[tuple[datetime, float]]] = {}
    for backup in backups:
        for name, number in _counted(backup).items():
            found.setdefault(name, []).append((backup.ended, float(number)))
    ranked = sorted(found, key=lambda name: (*_interest(found[name]), name), reverse=True)
    return {name: tuple(found[name]) for name in ranked[:most]}


def _counted(backup: Backup) -> Mapping[str, int]:
    """database.schema.table → rows; where there is only one database, without it. Empty where it cannot be read."""
    if backup.manifest is None:
        return {}
    entries = backup.manifest.databases.items()
    prefix = {key: f"{key}." if len(entries) > 1 else "" for key, _ in entries}
    return {f"{prefix[key]}{table.name}": table.rows for key, entry in entries for table in entry.content.tables}


def _interest(series: Sequence[tuple[datetime, float]]) -> tuple[float, float]:
    values = [value for _, value in series]
    return (max(values) - min(values), max(values))


def proven_age(backups: Sequence[Backup], now: datetime) -> Series:
    """Hours since the newest backup that was proven by then was started: a sawtooth up to *now*.

    It has two points at each drill, just before it and after; none until there was a proven backup.
    """
    moments = [past.proof.ended for past in drills(backups) if past.proof.ended <= now]
    points: list[tuple[datetime, float]] = []
    newest: datetime | None = None
    for moment in [*moments, now]:
        if newest is not None:
            points.append((moment, (moment - newest).total_seconds() / HOUR))
        newest = _newest_proven(backups, moment)
        if newest is not None and moment != now:
            points.append((moment, (moment - newest).total_seconds() / HOUR))
    return tuple(points)


def _newest_proven(backups: Sequence[Backup], moment: datetime) -> datetime | None:
    """When the newest backup was started that counted as proven at *moment*."""
    started = [b.header.started for b in backups if b.header and _proven_by(b, moment)]
    return max(started, default=None)


def _proven_by(backup: Backup, moment: datetime) -> bool:
    judged = [proof.verdict for proof in backup.proofs if proof.counts and proof.ended <= moment]
    return bool(judged) and judged[-1] == "pass"
