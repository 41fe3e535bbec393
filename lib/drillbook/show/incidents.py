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
    if len(items) > SHOWN:
        views.append(callout("note", f"{len(items) - SHOWN} more are a little like it", "they stand in run.json"))
    return sum(views[1:], views[0])


def alike(score: float) -> str:
    """How alike, in a word or two."""
    return "very like" if score >= VERY else "rather like" if score >= RATHER else "a little like"


def _match(item: Match) -> View:
    incident = item.incident
    when = [incident.date, f"took {incident.duration}" if incident.duration else "", _share(item)]
    parts = [", ".join(part for part in when if part)]
    parts += _listed("the same symptom", [said for _, said in item.symptoms])
    parts += _listed("the same cause", [", ".join(item.causes)] if item.causes else [])
    parts += _listed("differs", item.differs)
    parts += _listed("resolved by", incident.resolved_by)
    parts += _listed("did not help", incident.did_not_help)
    parts += _listed("lesson", [incident.lesson] if incident.lesson else [])
    parts += _listed("see", [incident.link] if incident.link else [])
    title = f"{alike(item.score)} a known incident: {incident.title}"
    is_link = incident.link.startswith(("http://", "https://"))
    link = ("open its page", incident.link) if is_link else ("", "")
    return callout("warn" if item.score >= RATHER else "note", title, "\n".join(parts), link=link)


def _share(item: Match) -> str:
    """What the likeness rests on, in numbers that can be counted."""
    symptoms, causes = len(item.incident.symptoms), len(item.incident.causes)
    return f"{len(item.symptoms)} of its {symptoms} symptoms and {len(item.causes)} of its {causes} causes are here"


def _listed(what: str, lines: Sequence[str]) -> list[str]:
    """One line says it all; several stand below their heading."""
    if len(lines) == 1:
        return [f"{what}: {lines[0]}"]
    return [f"{what}:", *(f"  • {line}" for line in lines)] if lines else []
