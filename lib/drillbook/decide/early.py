"""The incident report's five early-warning signs, as far as facts can tell them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from drillbook.observe.facts import Snapshot
from drillbook.observe.facts_signs import FORGOTTEN
from drillbook.observe.said import kind
from drillbook.target import Signs

HOUR = 3600.0
SEVERAL = 2


@dataclass(frozen=True)
class Early:
    """One sign of the checklist: whether it is there (None: nothing tells), and what was seen."""

    name: str
    there: bool | None
    observed: str


def early(snapshot: Snapshot, rule: Signs, before: Iterable[str] = ()) -> tuple[Early, ...]:
    """The checklist; *before* is what failing answers and logs said before the newest deployment.

    Each alone is no proof: a recent image is fresh more often than not.
    """
    return (
        _committed(snapshot),
        _rebuilt(snapshot),
        _recent(snapshot, rule),
        _same(snapshot, {kind(said) for said in before}),
        Early("works in development, fails here", None, "only this target was looked at: ask another one the same"),
    )


def _committed(snapshot: Snapshot) -> Early:
    name, source = "source files are as they were committed", snapshot.deployed
    if source is None or not source.is_git:
        return Early(name, None, "no git repository tells")
    if source.dirty:
        return Early(name, False, f"{len(source.dirty)} changed since: {', '.join(source.dirty[:3])}")
    return Early(name, True, f"all as in {source.revision[:12]}")


def _rebuilt(snapshot: Snapshot) -> Early:
    name, signs = "rebuilt several times", snapshot.signs
    if signs is None or "rebuilds" in signs.unknown:
        return Early(name, None, "the engine could not tell")
    most = max(signs.rebuilds.values(), default=0)
    counts = ", ".join(f"{service} {count} time{'s' if count > 1 else ''}" for service, count in signs.rebuilds.items())
    if signs.rebuilds_whole:
        return Early(name, most >= SEVERAL, counts or "not since all was well")
    known = f"at least: {counts}" if counts else f"none is known; {FORGOTTEN}"
    return Early(name, True if most >= SEVERAL else None, known)


def _recent(snapshot: Snapshot, rule: Signs) -> Early:
    name = "image timestamps are recent"
    newest = max((image.created for image in snapshot.engine_images.values()), default=0.0)
    if not newest or snapshot.signs is None:
        return Early(name, None, "no image tells when it was made")
    hours = max(snapshot.signs.observed_at - newest, 0.0) / HOUR
    return Early(name, hours <= rule.deployed_within_hours, f"the newest was made {ago(hours)}")


def _same(snapshot: Snapshot, before: set[str]) -> Early:
    """The same error from before the newest deployment and after it: by an earlier diagnosis, or by one log."""
    name, signs = "the same error after the rebuild", snapshot.signs
    if signs is None or not signs.deployed_at:
        return Early(name, None, "nothing tells when was deployed")
    again = next((said for said in _now(snapshot) if kind(said) in before), "")
    if again:
        return Early(name, True, f"an earlier diagnosis saw it too: {again[:120]}")
    for fact in signs.logs:
        if 0 < _moment(fact.first) < signs.deployed_at < _moment(fact.last):
            return Early(name, True, f"{fact.service} says it since before: {fact.line[:120]}")
    if before:
        return Early(name, False, "what earlier diagnoses saw is not said now")
    return Early(name, None, "no diagnosis from before the deployment is recorded")


def _now(snapshot: Snapshot) -> Iterator[str]:
    """What failing answers say, in the words that evidence keeps; then the logs."""
    for fact in snapshot.responses:
        if fact.status != fact.expected_status:
            yield fact.error or f"{fact.status}: {fact.body[:240]}"
    yield from (fact.line for fact in snapshot.signs.logs) if snapshot.signs else ()


def _moment(stamp: str) -> float:
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return 0.0


def ago(hours: float) -> str:
    """How long ago, in the unit that a person would use."""
    if hours >= 48:
        return f"{hours / 24:.0f} days ago"
    return f"{hours:.1f} h ago" if hours >= 1 else f"{hours * 60:.0f} min ago"
