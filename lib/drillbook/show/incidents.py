"""Known incidents that this one is like."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from drillbook.decide.incidents import Match
from drillbook.show.view import FONT, View, callout

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
    kind = "warn" if item.score >= RATHER else "note"
    when = [incident.date, f"took {incident.duration}" if incident.duration else "", _share(item)]
    is_link = incident.link.startswith(("http://", "https://"))
    link = ("open its page", incident.link) if is_link else ("", "")
    title = f"{alike(item.score)} a known incident: {incident.title}"
    box = callout(kind, title, ", ".join(part for part in when if part), link=link)
    return box + _told({
        "the same symptom": [said for _, said in item.symptoms],
        "the same cause": [", ".join(item.causes)] if item.causes else [],
        "resolved by": incident.resolved_by,
        "did not help": incident.did_not_help,
        "differs": item.differs,
        "lesson": [incident.lesson] if incident.lesson else [],
        "see": [incident.link] if incident.link else [],
    })  # fmt: skip


def _told(parts: Mapping[str, Sequence[str]]) -> View:
    """Each part under its name, with as many lines as it has; one without lines is left out."""
    rows, text = "", []
    for name, lines in parts.items():
        for number, line in enumerate(lines):
            label = "" if number else name
            rows += f'<div style="font-weight:600">{html.escape(label)}</div><div>{html.escape(line)}</div>'
            text.append(f"  {label + ':' if label else '':<18} {line}")
    style = f"{FONT};display:grid;grid-template-columns:max-content 1fr;gap:1px 14px;margin:0 0 10px 16px"
    return View(f'<div style="{style};overflow-wrap:anywhere">{rows}</div>', "\n".join(text))


def _share(item: Match) -> str:
    """What the likeness rests on, in numbers that can be counted."""
    symptoms, causes = len(item.incident.symptoms), len(item.incident.causes)
    return f"{len(item.symptoms)} of its {symptoms} symptoms and {len(item.causes)} of its {causes} causes are here"
