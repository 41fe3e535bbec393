"""Known incidents that this one is like, with what differs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from drillbook.observe.facts import Snapshot
from drillbook.observe.facts_signs import IncidentFact

SYMPTOMS_WEIGH = 0.4
"""What people see misleads more often than what was proven: causes weigh the rest."""


@dataclass(frozen=True)
class Match:
    """A known incident, and how this one is like it: score 0 to 1, what is the same, what differs."""

    incident: IncidentFact
    score: float
    symptoms: tuple[tuple[str, str], ...]
    not_seen: tuple[str, ...]
    causes: tuple[str, ...]
    differs: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def matches(incidents: Iterable[IncidentFact], snapshot: Snapshot, causes: Iterable[str]) -> tuple[Match, ...]:
    """Those with a symptom or a cause in common, the most alike first. Changes nothing."""
    ours = tuple(dict.fromkeys(causes))
    found = [_match(incident, tuple(_said(snapshot)), ours, snapshot) for incident in incidents]
    alike = [match for match in found if match.symptoms or match.causes]
    return tuple(sorted(alike, key=lambda match: (-match.score, match.incident.id)))


def _said(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """Where something was said, and what: failing answers and error lines of logs."""
    for fact in snapshot.responses:
        if fact.status != fact.expected_status:
            yield fact.endpoint, f"HTTP {fact.status} {fact.error or fact.body}"
    for line in snapshot.signs.logs if snapshot.signs else ():
        yield f"log of {line.service}", line.line


def _match(incident: IncidentFact, said: tuple[tuple[str, str], ...], ours: tuple[str, ...], now: Snapshot) -> Match:
    seen: dict[str, str] = {}
    for pattern in incident.symptoms:
        hit = next((f"{where}: {text.strip()[:200]}" for where, text in said if re.search(pattern, text)), "")
        if hit:
            seen[pattern] = hit
    common = tuple(cause for cause in incident.causes if cause in ours)
    every = {*incident.causes, *ours}
    symptoms = len(seen) / len(incident.symptoms) if incident.symptoms else 0.0
    shared = len(common) / len(every) if every else 0.0
    return Match(
        incident=incident,
        score=round(SYMPTOMS_WEIGH * symptoms + (1 - SYMPTOMS_WEIGH) * shared, 2),
        symptoms=tuple(seen.items()),
        not_seen=tuple(pattern for pattern in incident.symptoms if pattern not in seen),
        causes=common,
        differs=tuple(_differs(incident, ours, now)),
    )


def _differs(incident: IncidentFact, ours: tuple[str, ...], now: Snapshot) -> Iterator[str]:
    theirs = [cause for cause in incident.causes if cause not in ours]
    if theirs:
        yield f"then also {', '.join(theirs)}; not found now"
    further = [cause for cause in ours if cause not in incident.causes]
    if further:
        yield f"now also {', '.join(further)}"
    if "backups" in incident.facts:
        yield f"then backups: {incident.facts['backups']}; now: {_backups(now)}"
    if "rebuilds" in incident.facts and now.signs:
        yield f"then rebuilds: {incident.facts['rebuilds']}; now: {max(now.signs.rebuilds.values(), default=0)}"
    for key, value in incident.facts.items():
        if key not in ("backups", "rebuilds"):
            yield f"then {key}: {value}"


def _backups(now: Snapshot) -> str:
    proven = [b for b in now.backups if b.proven and b.identity == now.identity]
    if not proven:
        return f"none proven, {len(now.backups)} in all"
    return f"{len(proven)} proven, the newest {proven[-1].age_seconds / 3600:.1f} h old"
