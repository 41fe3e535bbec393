"""The incident report's rule: many errors, a recent deployment and many rebuilds together mean cache pollution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from drillbook.decide.early import HOUR, Early, ago
from drillbook.observe.facts_signs import FORGOTTEN, SignsFact
from drillbook.target import Signs

State = Literal["exceeded", "within", "unknown"]
LINES = 5


@dataclass(frozen=True)
class Sign:
    """One sign: what was seen, what is too much, and whether it is."""

    name: str
    state: State
    observed: str
    limit: str


@dataclass(frozen=True)
class Warning:
    """The three signs, and the error lines beside them. A warning, never a cause, and no part of the verdict.

    `lines` are service, line, times; `early` is the report's checklist, `unknown` what could not be asked, and why.
    """

    signs: tuple[Sign, ...]
    suspected: bool
    says: str
    lines: tuple[tuple[str, str, int], ...]
    early: tuple[Early, ...] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def warning(facts: SignsFact, rule: Signs, early: tuple[Early, ...] = ()) -> Warning:
    """The signs held against the target's rule; suspected only when all three are exceeded."""
    signs = (_errors(facts, rule), _deployed(facts, rule), _rebuilt(facts, rule))
    suspected = all(sign.state == "exceeded" for sign in signs)
    lines = tuple((fact.service, fact.line, fact.times) for fact in facts.logs[:LINES])
    return Warning(signs, suspected, _says(signs), lines, early, dict(facts.unknown))


def _says(signs: tuple[Sign, ...]) -> str:
    states = [sign.state for sign in signs]
    if set(states) == {"exceeded"}:
        return "many errors, deployed lately, rebuilt again and again: suspect cache pollution; do not rebuild"
    if "within" not in states:
        missing = ", ".join(sign.name for sign in signs if sign.state == "unknown")
        return f"what is known of the signs is there, but not all is known: {missing}"
    return "not all three signs are there"


def _errors(facts: SignsFact, rule: Signs) -> Sign:
    limit = f"over {rule.error_rate_percent:g} %"
    if facts.error_percent is None:
        return Sign("error rate", "unknown", "nobody could be asked", limit)
    of = f" of {facts.asked} answer{'s' if facts.asked > 1 else ''}" if facts.asked else ""
    state: State = "exceeded" if facts.error_percent > rule.error_rate_percent else "within"
    return Sign("error rate", state, f"{facts.error_percent:.0f} %{of} ({facts.source})", limit)


def _deployed(facts: SignsFact, rule: Signs) -> Sign:
    limit = f"within {rule.deployed_within_hours:g} h"
    if not facts.deployed_at:
        return Sign("recent deployment", "unknown", "nothing tells when", limit)
    hours = max(facts.observed_at - facts.deployed_at, 0.0) / HOUR
    state: State = "exceeded" if hours <= rule.deployed_within_hours else "within"
    return Sign("recent deployment", state, f"{ago(hours)} (newest {facts.deployed_by})", limit)


def _rebuilt(facts: SignsFact, rule: Signs) -> Sign:
    limit = f"more than {rule.rebuilds}"
    since = "since the last healthy diagnosis" if facts.healthy_at else "in a week; no healthy diagnosis is recorded"
    most = max(facts.rebuilds, key=lambda name: facts.rebuilds[name], default="")
    if "rebuilds" in facts.unknown:
        return Sign("rebuilds", "unknown", facts.unknown["rebuilds"], limit)
    state: State = "exceeded" if facts.rebuilds.get(most, 0) > rule.rebuilds else "within"
    observed = f"{facts.most_rebuilds}{f' of {most}' if most else ''} {since}"
    if state == "within" and not facts.rebuilds_whole:
        return Sign("rebuilds", "unknown", f"{observed}; {FORGOTTEN}", limit)
    return Sign("rebuilds", state, observed, limit)
