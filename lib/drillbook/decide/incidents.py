"""Known incidents that this one is like, with what differs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from drillbook.decide.rows import rows_against_backup
from drillbook.observe.facts import Snapshot
from drillbook.observe.facts_signs import IncidentFact
from drillbook.observe.said import hidden

SITE = re.compile(r"^\w+://[^/]*")
AROUND = 240
"""Of what was said, so many letters around what was met are shown."""


@dataclass(frozen=True)
class Match:
    """A known incident, and how this one is like it: score 0 to 1, what is the same, what differs.

    `symptoms` are the expressions that were met, each with where and by what words; `causes`
    are common to both, `theirs` and `ours` only to one. `differs` says it all in sentences.
    """

    incident: IncidentFact
    score: float
    symptoms: tuple[tuple[str, str], ...]
    not_seen: tuple[str, ...]
    causes: tuple[str, ...]
    theirs: tuple[str, ...]
    ours: tuple[str, ...]
    differs: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def matches(incidents: Iterable[IncidentFact], snapshot: Snapshot, causes: Iterable[str]) -> tuple[Match, ...]:
    """Those with a symptom or a cause in common, the most alike first. Changes nothing."""
    ours = tuple(dict.fromkeys(causes))
    said = tuple(_said(snapshot))
    found = [_match(incident, said, ours, snapshot) for incident in incidents]
    alike = [match for match in found if match.symptoms or match.causes]
    return tuple(sorted(alike, key=lambda match: (-match.score, match.incident.id)))


def _said(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """Where something was said, and what: failing answers with their path, and error lines of logs."""
    for fact in snapshot.responses:
        if fact.status != fact.expected_status:
            yield fact.endpoint, hidden(f"HTTP {fact.status} {SITE.sub('', fact.url)} {fact.error or fact.body}")
    for line in snapshot.signs.logs if snapshot.signs else ():
        yield f"log of {line.service}", line.line


def _match(incident: IncidentFact, said: tuple[tuple[str, str], ...], causes: tuple[str, ...], now: Snapshot) -> Match:
    met = {pattern: _met(pattern, said) for pattern in incident.symptoms}
    seen = {pattern: words for pattern, words in met.items() if words}
    common = tuple(cause for cause in incident.causes if cause in causes)
    theirs = tuple(cause for cause in incident.causes if cause not in causes)
    ours = tuple(cause for cause in causes if cause not in incident.causes)
    return Match(
        incident=incident,
        score=round((_symptoms(len(seen), len(met)) + _causes(len(common), len(theirs), len(ours))) / 2, 2),
        symptoms=tuple(seen.items()),
        not_seen=tuple(pattern for pattern in met if pattern not in seen),
        causes=common,
        theirs=theirs,
        ours=ours,
        differs=tuple(_differs(incident, theirs, ours, now)),
    )


def _symptoms(seen: int, known: int) -> float:
    """An error's own words are met once or not at all: the first counts for half, the others for the rest."""
    return (1 + seen / known) / 2 if seen else 0.0


def _causes(common: int, theirs: int, ours: int) -> float:
    """Causes come one after the other on such a night: those of one side only count for half."""
    if not common:
        return 0.0
    return (common / (common + min(theirs, ours)) + common / (common + theirs + ours)) / 2


def _met(pattern: str, said: tuple[tuple[str, str], ...]) -> str:
    """Where *pattern* is met first, and the words around it; empty where it is not."""
    for where, text in said:
        if found := re.search(pattern, text):
            start = max(0, found.start() - AROUND // 4)
            return f"{where}: {'…' if start else ''}{' '.join(text[start : start + AROUND].split())}"
    return ""


def _differs(incident: IncidentFact, theirs: tuple[str, ...], ours: tuple[str, ...], now: Snapshot) -> Iterator[str]:
    if theirs:
        yield f"then also {', '.join(theirs)}; not found now"
    if ours:
        yield f"now also {', '.join(ours)}"
    today = {"backups": _backups(now), "rebuilds": _rebuilds(now), "data lost": _lost(now)}
    for key, value in incident.facts.items():
        yield f"then {key}: {value}" + (f"; now: {today[key]}" if today.get(key) else "")


def _backups(now: Snapshot) -> str:
    proven = [b.age_seconds for b in now.backups if b.proven and b.identity == now.identity]
    if not proven:
        return f"none is proven, {len(now.backups)} in all" if now.backups else "none"
    return f"{len(proven)} proven, the newest {min(proven) / 3600:.1f} h old"


def _rebuilds(now: Snapshot) -> str:
    if now.signs is None or "rebuilds" in now.signs.unknown:
        return "unknown"
    return now.signs.most_rebuilds


def _lost(now: Snapshot) -> str:
    """Tables that had rows in the newest backup and have none now; empty without a backup to hold them against."""
    rows = rows_against_backup(now)
    if not any(row.backup for row in rows):
        return ""
    lost = sum(row.change == "lost" for row in rows)
    return f"{lost} tables" if lost else "nothing"
