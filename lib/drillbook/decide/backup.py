"""Plan a backup: everything of a target that holds data, into one folder of the vault."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from drillbook.decide.plan import Plan, Step
from drillbook.errors import RunbookError
from drillbook.observe.places import DataFacts, VolumePlace

HOURS = 3600


def plan_backup(
    target: str,
    identity: str,
    facts: DataFacts,
    jobs: int = 2,
    copies: Sequence[str] = (),
    expired: Sequence[str] = (),
) -> Plan:
    """The steps of a backup of all databases, roles and volumes, into its vault and then its *copies*.

    Of the target they destroy nothing; of the vault, after the new backup is whole, the *expired* backups.

    Raises:
        RunbookError: a database is not there; a backup without it would look whole.
    """
    gone = [place.dbname for place in facts.databases.values() if not place.exists]
    if gone:
        raise RunbookError(
            f"database {', '.join(gone)} is not on its server; there is nothing to back up",
            "run 04-restore to put it back from the newest proven backup",
        )
    steps = [
        Step("begin", "backup.begin", facts.vault, args={"estimate_bytes": estimate(facts)}, timeout_seconds=60),
        *(_database(key, facts, jobs) for key in facts.databases),
        *(_roles(key, facts) for key in facts.servers),
        *(_volume(place) for place in facts.volumes),
        Step("finish", "backup.finish", facts.vault, timeout_seconds=HOURS),
        *(
            Step(f"copy-{number}", "backup.copy", url, args={"number": number}, timeout_seconds=6 * HOURS)
            for number, url in enumerate(copies)
        ),
        *_expire(facts.vault, expired),
    ]
    notes = tuple(
        f"{', '.join(place.containers)} are stopped while {place.name} is copied, and started again"
        for place in facts.volumes
        if place.stop and place.containers
    )
    return Plan("backup", target, identity, facts.as_json(), tuple(steps), notes)


def _volume(place: VolumePlace) -> Step:
    """What is done to the volume's service meanwhile is named; nothing is, where the target's file says nothing."""
    told: dict[str, object] = {"kind": place.kind}
    if place.stop:
        told["stops"] = list(place.containers)
    if place.before or place.after:
        told |= {"before": list(place.before), "after": list(place.after)}
    if place.volatile:
        told["volatile"] = True
    return Step(f"volume-{place.key}", "backup.volume", place.name, args=told, timeout_seconds=HOURS)


def estimate(facts: DataFacts) -> int:
    """Bytes that the vault must have free: half of the databases, for indexes are not dumped and rows compress."""
    return sum(place.bytes for place in facts.databases.values()) // 2


def _expire(vault: str, expired: Sequence[str]) -> Iterator[Step]:
    if expired:
        gone = tuple(f"backup {name}" for name in expired)
        why = "nothing: backup.retention lets them go; the newest proven backup stays"
        args = {"backups": list(expired)}
        yield Step("expire", "backup.expire", vault, args=args, destroys=gone, recovers=why, timeout_seconds=HOURS)


def _database(key: str, facts: DataFacts, jobs: int) -> Step:
    place = facts.databases[key]
    args = {"key": key, "server": place.server, "jobs": jobs, "major": facts.servers[place.server].major}
    return Step(f"database-{key}", "backup.database", place.dbname, args=args, timeout_seconds=6 * HOURS)


def _roles(key: str, facts: DataFacts) -> Step:
    place = facts.servers[key]
    words = ("--roles-only",) if place.superuser else ("--roles-only", "--no-role-passwords")
    args = {"key": key, "words": list(words), "major": place.major, "server": facts.as_json()["servers"][key]}
    return Step(f"roles-{key}", "backup.roles", f"roles of the server of {key}", args=args, timeout_seconds=300)
