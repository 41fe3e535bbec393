"""The rest of the evidence: containers, endpoints, databases, disks."""

from __future__ import annotations

from drillbook.decide.evidence import Evidence, Verdict
from drillbook.decide.freshness import named
from drillbook.observe.facts import ContainerFact, DatabaseFact, DiskFact, ResponseFact, Snapshot

DISK_FREE_SHARE = 0.05
"""Below this share of free space a dump or a build is likely to fail half-way."""


def health(snapshot: Snapshot) -> tuple[Evidence, ...]:
    """One piece of evidence for each container, endpoint, database and disk, and for each unknown."""
    return (
        *(_alive(container) for container in snapshot.containers),
        *(_absent(snapshot)),
        *(_answer(answer) for answer in snapshot.responses),
        *(e for database in snapshot.databases for e in _database(snapshot, database)),
        *(_disk(fact) for fact in snapshot.disks),
        *(_unknown(name, why) for name, why in snapshot.unknown.items()),
    )


def _alive(fact: ContainerFact) -> Evidence:
    state = (
        f"{'running' if fact.running else f'exited with {fact.exit_code}'}{f', {fact.health}' if fact.health else ''}"
    )
    good = fact.running and fact.health in ("", "healthy")
    verdict: Verdict = "pass" if good else "unknown" if fact.running and fact.health == "starting" else "fail"
    how = f"docker inspect -f '{{{{json .State}}}}' {fact.name}"
    return Evidence(f"alive:{fact.name}", "container", fact.service, verdict, state, "running, healthy", how)


def _absent(snapshot: Snapshot) -> list[Evidence]:
    there = {fact.service for fact in snapshot.containers}
    gone = [s.name for s in snapshot.services if s.name not in there] if "containers" not in snapshot.unknown else []
    return [
        Evidence(f"alive:{name}", "container", name, "fail", "no container", "running", "docker compose ps -a")
        for name in gone
    ]


def _answer(fact: ResponseFact) -> Evidence:
    observed = f"{fact.status}: {fact.body[:240]}" if fact.status != fact.expected_status else str(fact.status)
    verdict: Verdict = "pass" if fact.status == fact.expected_status else "fail"
    return Evidence(
        f"answer:{fact.endpoint}", "response", fact.via, verdict, fact.error or observed,
        str(fact.expected_status), f"curl -i {fact.url}",
    )  # fmt: skip


def _database(snapshot: Snapshot, fact: DatabaseFact) -> list[Evidence]:
    how = f'psql -d {fact.dbname} -c "\\dt *.*"'
    up: Verdict = "pass" if fact.reachable else "fail"
    found = [
        Evidence(
            f"database:{fact.key}",
            "database",
            fact.key,
            up,
            fact.error or f"PostgreSQL {fact.server_version}",
            "it answers",
            how,
        )
    ]
    return [*found, _schema(snapshot, fact, how), _rows(snapshot, fact, how)] if fact.reachable else found


def _schema(snapshot: Snapshot, fact: DatabaseFact, how: str) -> Evidence:
    wanted = snapshot.expected_tables.get(fact.key)
    observed = f"{len(fact.rows)} tables"
    if wanted is None:
        expected = "a backup or a schema_file in the target's file to hold it against"
        return Evidence(f"schema:{fact.key}", "database", fact.key, "unknown", observed, expected, how)
    gone = [name for name in wanted if name not in fact.rows]
    text = f"{observed}; missing: {named(gone)}" if gone else observed
    verdict: Verdict = "fail" if gone else "pass"
    return Evidence(f"schema:{fact.key}", "database", fact.key, verdict, text, f"{len(wanted)} tables", how)


def _rows(snapshot: Snapshot, fact: DatabaseFact, how: str) -> Evidence:
    total = sum(fact.rows.values())
    before = [b for b in snapshot.backups if b.rows]
    if not before:
        verdict: Verdict = "pass" if total else "unknown"
        expected = "not empty; there is no backup to hold it against"
        return Evidence(f"rows:{fact.key}", "database", fact.key, verdict, f"{total} rows", expected, how)
    last = sum(n for name, n in before[-1].rows.items() if name.startswith(f"{fact.key}/"))
    verdict = "fail" if total == 0 and last > 0 else "pass"
    expected = f"not empty: {last} rows in {before[-1].name}"
    return Evidence(f"rows:{fact.key}", "database", fact.key, verdict, f"{total} rows", expected, how)


def _disk(fact: DiskFact) -> Evidence:
    share = fact.free_bytes / fact.total_bytes if fact.total_bytes else 0.0
    verdict: Verdict = "pass" if share >= DISK_FREE_SHARE else "fail"
    observed = f"{fact.free_bytes / 1e9:.1f} GB free of {fact.total_bytes / 1e9:.1f} GB"
    expected = f"at least {DISK_FREE_SHARE:.0%} free"
    return Evidence(f"disk:{fact.path}", "host", "vault", verdict, observed, expected, f"df -h {fact.path}")


def _unknown(name: str, why: str) -> Evidence:
    return Evidence(f"observed:{name}", "host", name, "unknown", why, "it can be observed", "drillbook doctor")
