"""Freshness: what runs, held against the source by content, level by level."""

from __future__ import annotations

from drillbook.decide.build_level import build_level
from drillbook.decide.code import services_code
from drillbook.decide.evidence import Evidence, Verdict
from drillbook.decide.process_level import process_level
from drillbook.decide.response_level import response_level
from drillbook.observe.facts import ConfigFact, ContainerFact, Snapshot


def freshness(snapshot: Snapshot) -> tuple[Evidence, ...]:
    """The evidence of every level and service; `unknown` wherever a level could not be seen."""
    found: list[Evidence] = []
    for code in services_code(snapshot):
        found.extend(build_level(snapshot, code))
        found.extend(process_level(code))
    found.extend(_container(fact) for fact in snapshot.containers if fact.running)
    found.extend(_config(fact) for fact in snapshot.configs)
    found.extend(response_level(snapshot))
    return tuple(found)


def _container(fact: ContainerFact) -> Evidence:
    verdict: Verdict = "pass" if fact.image_id == fact.tag_image_id else "fail" if fact.tag_image_id else "unknown"
    return Evidence(
        f"container:{fact.name}", "container", fact.name, verdict, f"runs image {fact.image_id[7:19]}",
        f"{fact.image_ref} is {fact.tag_image_id[7:19] or 'gone'}", f"docker inspect -f '{{{{.Image}}}}' {fact.name}",
    )  # fmt: skip


def _config(fact: ConfigFact) -> Evidence:
    verdict: Verdict = "fail" if fact.differs or (fact.wanted and fact.wanted != fact.actual) else "pass"
    if verdict == "pass" and (fact.unread or not fact.wanted):
        verdict = "unknown"
    changed = f"not the compose file's: {', '.join(fact.differs) or 'configuration'}"
    unread = ", ".join(f"{path}: {why}" for path, why in fact.unread.items())
    unseen = f"not read: {unread}" if unread else "compose did not tell its hash"
    observed = {"pass": "as the compose file says", "unknown": unseen, "fail": changed}
    return Evidence(
        f"config:{fact.container}", "container", fact.container, verdict, observed[verdict],
        "the container has the configuration that the compose file and its files say now",
        f"docker compose config --hash {fact.service}; docker inspect {fact.container}",
    )  # fmt: skip
