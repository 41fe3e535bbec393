"""The incident report's rule: many errors, a recent deployment and many rebuilds together mean cache pollution."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from drillbook.observe.facts_signs import SignsFact
from drillbook.target import Signs

State = Literal["exceeded", "within", "unknown"]
HOUR = 3600.0


@dataclass(frozen=True)
class Sign:
    """One sign: what was seen, what is too much, and whether it is."""

    name: str
    state: State
    observed: str
    limit: str


@dataclass(frozen=True)
class Warning:
    """The three signs, and the error lines beside them. A warning, never a cause, and no part of the verdict."""

    signs: tuple[Sign, ...]
    suspected: bool
    says: str
    lines: tuple[tuple[str, str, int], ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def warning(facts: SignsFact, rule: Signs) -> Warning:
    """The signs held against the target's rule; suspected only when all three are exceeded."""
    signs = (_errors(facts, rule), _deployed(facts, rule), _rebuilt(facts, rule))
    suspected = all(sign.state == "exceeded" for sign in signs)
    says = "not all three signs are there"
    if suspected:
        says = "many errors, deployed lately, rebuilt again and again: suspect cache pollution; do not rebuild"
    lines = tuple((fact.service, fact.line, fact.times) for fact in facts.logs[:5])
    return Warning(signs, suspected, says, lines)


def _errors(facts: SignsFact, rule: Signs) -> Sign:
    limit = f"over {rule.error_rate_percent:g} %"
    if facts.error_percent is None:
        return Sign("error rate", "unknown", "nobody could be asked", limit)
    of = f" of {facts.asked} answers" if facts.asked else ""
    state: State = "exceeded" if facts.error_percent > rule.error_rate_percent else "within"
    return Sign("error rate", state, f"{facts.error_percent:.0f} %{of} ({facts.source})", limit)


def _deployed(facts: SignsFact, rule: Signs) -> Sign:
    limit = f"within {rule.deployed_within_hours:g} h"
    if not facts.deployed_at:
        return Sign("recent deployment", "unknown", "nothing tells when", limit)
    hours = max(facts.observed_at - facts.deployed_at, 0.0) / HOUR
    state: State = "exceeded" if hours <= rule.deployed_within_hours else "within"
    ago = f"{hours:.1f} h ago" if hours >= 1 else f"{hours * 60:.0f} min ago"
    return Sign("recent deployment", state, f"{ago} (newest {facts.deployed_by})", limit)


def _rebuilt(facts: SignsFact, rule: Signs) -> Sign:
    limit = f"more than {rule.rebuilds}"
    since = "since the last healthy diagnosis" if facts.healthy_at else "in a week; no healthy diagnosis is recorded"
    most = max(facts.rebuilds, key=lambda name: facts.rebuilds[name], default="")
    count = facts.rebuilds.get(most, 0)
    state: State = "exceeded" if count > rule.rebuilds else "within"
    return Sign("rebuilds", state, f"{count}{f' of {most}' if most else ''} {since}", limit)
