"""The proof that a reset rests on: a fresh one of what is there now; of what is lost already, the newest there is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from drillbook.decide.stakes import Stake, database_stakes, volume_stakes
from drillbook.errors import NotProven
from drillbook.observe.facts import BackupFact, DatabaseFact, Snapshot
from drillbook.vault.backup import SKEW_SECONDS


@dataclass(frozen=True)
class Proof:
    """The proven backup that a reset of data rests on; `lost`: some of it was gone before; `said` tells it plainly."""

    backup: BackupFact
    lost: bool
    said: str


def fresh_proof(snapshot: Snapshot, max_age_hours: float) -> BackupFact:
    """The newest proven backup of this target, when it is fresh and holds what the databases hold.

    Raises:
        NotProven: there is none, it is too old, or a database has filled tables that it lacks.
    """
    newest = _young(snapshot, max_age_hours)
    for fact in snapshot.databases:
        _is_read(snapshot, fact, newest)
        _covers(snapshot, fact, newest)
    return newest


def proof_for_data(
    snapshot: Snapshot, max_age_hours: float, scope: Literal["volumes", "database"], volumes: Collection[str] = ()
) -> Proof:
    """What a reset of all databases, or of these *volumes* (`snapshot.held` must tell of them), may rest on.

    What is there now must be in a fresh proven backup, and not as nothing; what is lost already rests on the newest
    proven one that has it, however old.

    Raises:
        NotProven: there is no such backup; the fact names one that has more, where there is one.
        NotObserved: what a volume holds is not known.
    """
    proven = _proven(snapshot)
    if scope == "database":
        for fact in snapshot.databases:
            _is_read(snapshot, fact, proven[-1])
            _is_whole(snapshot, fact, proven[-1])
        stakes = tuple(database_stakes(snapshot, proven))
    else:
        stakes = tuple(volume_stakes(snapshot, proven, volumes))
    gone = [stake for stake in stakes if stake.gone]
    there = [stake for stake in stakes if not stake.gone]
    if there or not stakes:
        fresh = _fresh(snapshot, max_age_hours, scope, there)
    if not gone:
        return Proof(fresh, False, f"rests on proven backup {fresh.name} of {_ago(fresh)}")
    rest = _holder_of_all(snapshot, gone)
    beside = f"; what is not lost rests on {fresh.name} of {_ago(fresh)}" if there else ""
    return Proof(rest, True, f"{_plainly(gone, rest)}{beside}")


def _proven(snapshot: Snapshot) -> list[BackupFact]:
    """The proven backups of this target, oldest first; never none."""
    proven = [b for b in snapshot.backups if b.proven and b.identity == snapshot.identity]
    if not proven:
        fact = f"{snapshot.target} has no proven backup; {len(snapshot.backups)} unproven"
        raise NotProven(fact, _hint(snapshot))
    return proven


def _hint(snapshot: Snapshot) -> str:
    name = f"--target {snapshot.target}"
    return f"drillbook run backup {name}, then drillbook run drill {name}; the reset starts from there"


def _young(snapshot: Snapshot, max_age_hours: float) -> BackupFact:
    newest, hint = _proven(snapshot)[-1], _hint(snapshot)
    if newest.age_seconds < -SKEW_SECONDS:
        told = f"the newest proven backup, {newest.name}, is dated in the future: a clock was wrong, then or now"
        raise NotProven(told, f"set this machine's clock right; then {hint}")
    if newest.age_seconds > max_age_hours * 3600:
        told = f"the newest proven backup is {newest.age_seconds / 3600:.1f} h old, over {max_age_hours:g} h"
        raise NotProven(told, hint)
    return newest


def _is_read(snapshot: Snapshot, fact: DatabaseFact, newest: BackupFact) -> None:
    if not fact.reachable:
        raise NotProven(f"database {fact.key} cannot be held against {newest.name}: {fact.error}", _hint(snapshot))


def _is_whole(snapshot: Snapshot, fact: DatabaseFact, newest: BackupFact) -> None:
    """That what could not be read in it is at least in the backup: else nobody knows what would be emptied."""
    if fact.error:
        raise NotProven(f"database {fact.key} cannot be held against {newest.name}: {fact.error}", _hint(snapshot))
    unheld = [table for table in fact.unread if not newest.rows.get(f"{fact.key}/{table}")]
    if unheld:
        told = f"{newest.name} lacks rows of {unheld[0]}, which could not be read now: {fact.unread[unheld[0]]}"
        raise NotProven(told, f"see who holds it (pg_stat_activity), then plan again; or {_hint(snapshot)}")


def _covers(snapshot: Snapshot, fact: DatabaseFact, newest: BackupFact) -> None:
    """That *newest* has rows of every table that has some now."""
    lacking = [t for t, rows in fact.rows.items() if rows and not newest.rows.get(f"{fact.key}/{t}")]
    if lacking:
        told = f"{newest.name} lacks rows of {lacking[0]}, which has {fact.rows[lacking[0]]} now"
        raise NotProven(told, _hint(snapshot))


def _fresh(snapshot: Snapshot, max_age_hours: float, scope: str, there: Sequence[Stake]) -> BackupFact:
    """The newest proven backup, when it is young, is none of nothing, and holds what is *there*."""
    newest, hint = _young(snapshot, max_age_hours), _hint(snapshot)
    if scope == "database" and there and not any(stake.holders for stake in there):
        what = " or ".join(stake.name for stake in there)
        raise NotProven(f"no proven backup holds a row of {what}: a proof of an empty state proves nothing", hint)
    for stake in there:
        if scope == "volumes" and stake.name not in newest.volumes:
            raise NotProven(f"{newest.name} does not hold volume {stake.name}", hint)
        if stake.remains and not stake.held_by(newest):
            raise NotProven(f"{newest.name} holds nothing of {stake.name}: {_older(stake)}", hint)
    names = [stake.name for stake in there]
    for fact in snapshot.databases if scope == "database" else ():
        if fact.dbname in names:
            _covers(snapshot, fact, newest)
    return newest


def _older(stake: Stake) -> str:
    nothing = "a proof of an empty state proves nothing"
    if not stake.holders:
        return f"{nothing}, and no proven backup holds more"
    older = stake.holders[-1]
    return f"{nothing}; the newest proven one that holds it is {older.name} of {_ago(older)}"


def _holder_of_all(snapshot: Snapshot, gone: Sequence[Stake]) -> BackupFact:
    """The newest proven backup that holds all that is gone."""
    found = [backup for backup in gone[0].holders if all(stake.held_by(backup) for stake in gone)]
    if found:
        return found[-1]
    what = "; ".join(f"{stake.name} is already lost ({stake.gone})" for stake in gone)
    held = [f"{stake.holders[-1].name} holds {stake.name}" for stake in gone if stake.holders]
    if held:
        raise NotProven(f"{what}; no proven backup holds all of it", f"restore what there is: {'; '.join(held)}")
    unproven = [b.name for b in snapshot.backups if not b.proven and b.identity == snapshot.identity]
    hint = "there is no backup that could be proven: touch nothing, keep the volumes"
    if unproven:
        hint = f"drill what there is: drillbook run drill --target {snapshot.target} -p backup={unproven[-1]}"
    raise NotProven(f"{what}; no proven backup holds it", hint)


def _plainly(gone: Sequence[Stake], rest: BackupFact) -> str:
    what = "; ".join(f"{stake.name} is already lost ({stake.gone})" for stake in gone)
    left = "; what is left of it is kept aside" if any(stake.remains for stake in gone) else ""
    since = "what was written since then is in no backup"
    return f"{what}: this rests on the newest proven backup {rest.name} of {_ago(rest)}; {since}{left}"


def _ago(backup: BackupFact) -> str:
    if backup.age_seconds < -SKEW_SECONDS:
        return "the future (a clock was wrong, then or now)"
    return f"{max(backup.age_seconds, 0) / 3600:.1f} h ago"
