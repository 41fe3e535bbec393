"""Known incidents that this one is like."""

from __future__ import annotations

from collections.abc import Sequence

from drillbook.decide.incidents import Match
from drillbook.show.view import View, callout

SHOWN = 3
VERY, RATHER = 0.6, 0.3


def matches(items: Sequence[Match]) -> View:
    """A box for each of the most alike: what is the same, what differs, what resolved it, what did not help."""
    if not items:
        return callout("note", "no known incident is like this one", "the postmortem can add it: parameters/incidents/")
    views = [_match(item) for item in items[:SHOWN]]
    return sum(views[1:], views[0])


def _match(item: Match) -> View:
    incident = item.incident
    alike = "very like" if item.score >= VERY else "rather like" if item.score >= RATHER else "a little like"
    parts = [f"{incident.date}" + (f", took {incident.duration}" if incident.duration else "")]
    parts += [f"the same symptom: {said}" for _, said in item.symptoms]
    parts += [f"the same cause: {', '.join(item.causes)}"] if item.causes else []
    parts += [f"differs: {text}" for text in item.differs]
    parts += [f"resolved by: {text}" for text in incident.resolved_by]
    parts += [f"did not help: {text}" for text in incident.did_not_help]
    parts += [f"lesson: {incident.lesson}"] if incident.lesson else []
    parts += [f"see {incident.link}"] if incident.link else []
    title = f"{alike} a known incident ({item.score:.0%}): {incident.title}"
    return callout("warn" if item.score >= RATHER else "note", title, "\n".join(parts))
