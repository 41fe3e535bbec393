"""The causes, each with what speaks for and against it, and the next step. Renders; decides nothing."""

from __future__ import annotations

from collections.abc import Iterable

from drillbook.decide.cause import Cause
from drillbook.decide.diagnose import Diagnosis
from drillbook.decide.evidence import Evidence
from drillbook.show.view import SIGNS, View, callout


def causes(diagnosis: Diagnosis) -> View:
    """The causes, the surest first, each with its evidence; or that there is none."""
    if not diagnosis.causes:
        kind, title = ("pass", "no cause: everything that was asked is as it must be")
        if diagnosis.verdict != "pass":
            kind, title = "unknown", f"verdict {diagnosis.verdict}, but the evidence names no cause"
        return callout(kind, title)
    views = [_cause(cause, quote=not number) for number, cause in enumerate(diagnosis.causes)]
    return sum(views[1:], views[0])


def _cause(cause: Cause, *, quote: bool) -> View:
    parts = [cause.says]
    if quote and cause.quoted:
        parts.append("What the site says is a symptom of it, and may point elsewhere:\n" + "\n".join(
            f"“{said.strip()[:300]}”" for said in cause.quoted))  # fmt: skip
    parts += _lines("fail", cause.evidence)
    if cause.against:
        parts += ["What speaks against it, or against another cause:", *_lines("pass", cause.against)]
    if cause.doubt:
        parts.append(f"To settle a doubt: {cause.doubt}")
    return callout("fail", f"{cause.id}  (confidence {cause.confidence:.0%})", "\n".join(parts))


def _lines(kind: str, items: Iterable[Evidence]) -> list[str]:
    """One line for the same finding at several subjects: two replicas are not two findings."""
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for item in items:
        grouped.setdefault((item.level, item.observed, item.expected), []).append(item.subject)
    return [
        f"{SIGNS[kind]} {level} of {', '.join(dict.fromkeys(who))}: {observed}"
        + (f" (expected: {expected})" if kind == "fail" else "")
        for (level, observed, expected), who in grouped.items()
    ]


def next_step(diagnosis: Diagnosis, target: str = "", link: str = "") -> View:
    """The one thing to do next, with the commands that run and open it; *link* is a notebook made ready for it."""
    target = target or diagnosis.target
    after = diagnosis.next
    title = f"Next: {after.runbook}" if after.runbook else "Next"
    lines = [after.why]
    if after.runbook:
        lines += [f"run it:  {after.command(target)}", f"open it: {after.opens(target)}"]
    if after.measure:
        lines.append(f"measure: {after.measure}")
    return callout("note", title, "\n".join(lines), link=(f"open {after.runbook}, its parameters filled in", link))
