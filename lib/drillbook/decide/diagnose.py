"""Diagnosis: causes named from evidence by pure rules, and where to go next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from drillbook.decide.cause import Cause, Pieces
from drillbook.decide.code_rules import CODE_RULES
from drillbook.decide.evidence import Evidence, Verdict, overall
from drillbook.decide.freshness import freshness
from drillbook.decide.health import health
from drillbook.decide.next_step import CODE_CAUSES, DATA_CAUSES, Next, next_step
from drillbook.decide.state_rules import STATE_RULES
from drillbook.observe.facts import Snapshot

__all__ = ["CODE_CAUSES", "DATA_CAUSES", "Cause", "Diagnosis", "Next", "diagnose"]


@dataclass(frozen=True)
class Diagnosis:
    """What was seen, what it means, and what to do next."""

    target: str
    verdict: Verdict
    causes: tuple[Cause, ...]
    evidence: tuple[Evidence, ...]
    next: Next
    services: Mapping[str, str] = field(default_factory=dict)
    """container → its service."""

    def names(self) -> set[str]:
        return {cause.id for cause in self.causes}

    def as_json(self, target: str = "") -> dict[str, Any]:
        """As plain values; commands name *target*, which is the target's name or its file."""
        return {
            "verdict": self.verdict,
            "causes": [cause.as_json() for cause in self.causes],
            "next": self.next.as_json(target or self.target),
            "evidence": [e.as_json() for e in self.evidence],
        }


def diagnose(snapshot: Snapshot) -> Diagnosis:
    """Every cause that the snapshot's evidence names, the surest first.

    The verdict is `fail` when anything fails, `unknown` when nothing fails but
    something could not be seen, else `pass`.
    """
    evidence = (*freshness(snapshot), *health(snapshot))
    seen = Pieces(evidence)
    quoted = tuple(dict.fromkeys(e.observed for e in seen.failed("answer")))
    causes = [replace(cause, quoted=quoted) for rule in (*CODE_RULES, *STATE_RULES) for cause in rule(seen)]
    causes.sort(key=lambda cause: -cause.confidence)
    verdict = overall(e.verdict for e in evidence)
    after = next_step(snapshot, verdict, causes, evidence)
    services = {fact.name: fact.service for fact in snapshot.containers}
    return Diagnosis(snapshot.target, verdict, tuple(causes), evidence, after, services)
