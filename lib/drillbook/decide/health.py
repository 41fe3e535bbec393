"""The rest of the evidence: containers, endpoints, disks, and what could not be observed."""

from __future__ import annotations

from collections.abc import Iterator

from drillbook.decide.evidence import Evidence, Level, Verdict
from drillbook.decide.schema import database_evidence
from drillbook.observe.facts import ContainerFact, DiskFact, ResponseFact, Snapshot

DISK_FREE_SHARE = 0.05
"""Below this share of free space a dump or a build is likely to fail half-way."""


def health(snapshot: Snapshot) -> tuple[Evidence, ...]:
    """One piece of evidence for each container, endpoint, database and disk, and for each unknown."""
    stored = {fact.service for fact in snapshot.databases if fact.service}
    return (
        *(_alive(container, stored) for container in snapshot.containers),
        *_absent(snapshot, stored),
        *_answers(snapshot.responses),
        *database_evidence(snapshot),
        *(_disk(fact) for fact in snapshot.disks),
        *(_unknown(name, why) for name, why in snapshot.unknown.items()),
    )


def _level(service: str, stored: set[str]) -> Level:
    return "database" if service in stored else "container"


def is_done(fact: ContainerFact) -> bool:
    """Whether it ended well and nothing restarts it: it has done its work (a migration, a seed)."""
    return not fact.running and fact.exit_code == 0 and fact.restart_policy in ("no", "on-failure")


def _alive(fact: ContainerFact, stored: set[str]) -> Evidence:
    state = "running" if fact.running else f"exited with {fact.exit_code}"
    state += f", {fact.health}" if fact.health and fact.running else ""
    done = is_done(fact)
    good = done or (fact.running and fact.health in ("", "healthy"))
    verdict: Verdict = "pass" if good else "unknown" if fact.running and fact.health == "starting" else "fail"
    expected = "running, healthy" if not done else "running, or done with its work"
    how = f"docker inspect -f '{{{{json .State}}}}' {fact.name}"
    return Evidence(f"alive:{fact.name}", _level(fact.service, stored), fact.service, verdict, state, expected, how)


def _absent(snapshot: Snapshot, stored: set[str]) -> list[Evidence]:
    there = {fact.service for fact in snapshot.containers}
    if "containers" in snapshot.unknown:
        return []
    gone = [s.name for s in snapshot.services if s.name not in there and s.replicas > 0]
    return [
        Evidence(f"alive:{name}", _level(name, stored), name, "fail", "no container", "running", "docker compose ps -a")
        for name in gone
    ]


def _answers(facts: tuple[ResponseFact, ...]) -> Iterator[Evidence]:
    for number, fact in enumerate(facts):
        again = sum(other.endpoint == fact.endpoint for other in facts[:number])
        yield _answer(fact, f"{fact.endpoint}#{again + 1}" if again else fact.endpoint)


def _answer(fact: ResponseFact, name: str) -> Evidence:
    observed = f"{fact.status}: {fact.body[:240]}" if fact.status != fact.expected_status else str(fact.status)
    verdict: Verdict = "pass" if fact.status == fact.expected_status else "fail"
    return Evidence(
        f"answer:{name}", "response", fact.via, verdict, fact.error or observed,
        str(fact.expected_status), f"curl -i {fact.url}",
    )  # fmt: skip


def _disk(fact: DiskFact) -> Evidence:
    share = fact.free_bytes / fact.total_bytes if fact.total_bytes else 0.0
    inodes = fact.free_inodes / fact.total_inodes if fact.total_inodes else 1.0
    verdict: Verdict = "pass" if min(share, inodes) >= DISK_FREE_SHARE else "fail"
    observed = f"{fact.free_bytes / 1e9:.1f} GB free of {fact.total_bytes / 1e9:.1f} GB"
    observed += f", {inodes:.0%} of its inodes free" if inodes < DISK_FREE_SHARE else ""
    expected = f"at least {DISK_FREE_SHARE:.0%} free"
    return Evidence(f"disk:{fact.path}", "host", fact.what, verdict, observed, expected, f"df -h {fact.path}")


def _unknown(name: str, why: str) -> Evidence:
    return Evidence(f"observed:{name}", "host", name, "unknown", why, "it can be observed", "drillbook doctor")
