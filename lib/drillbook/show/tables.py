"""Facts, evidence, diagnoses and plans as tables. Renders; decides nothing."""

from __future__ import annotations

import html
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from drillbook.decide.diagnose import Diagnosis
from drillbook.decide.evidence import Evidence
from drillbook.decide.plan import Plan
from drillbook.observe.facts import Snapshot
from drillbook.show.view import COLOURS, FONT, SIGNS, View, callout, folded, table

LEVELS = ("source", "context", "image", "container", "process", "response")
CODE = ("observed", "expected")
WORST = ("fail", "unknown", "pass")


def snapshot(fact: Snapshot) -> View:
    """What runs, what answers, what the databases hold."""
    running: list[dict[str, object]] = [
        {"service": c.service, "container": c.name, "state": "running" if c.running else f"exited {c.exit_code}",
         "health": c.health or "–", "image": c.image_id[7:19], "started (UTC)": c.started[:19].replace("T", " ")}
        for c in fact.containers
    ]  # fmt: skip
    answers: list[dict[str, object]] = [
        {"endpoint": r.endpoint, "answers": _answer(r.status, r.expected_status), "must": r.expected_status,
         "says": (r.error or r.body)[:160], "ms": round(r.seconds * 1000)}
        for r in fact.responses
    ]  # fmt: skip
    databases: list[dict[str, object]] = [
        {"database": d.dbname, "server": d.server_version or "does not answer", "tables": len(d.rows),
         "rows": sum(d.rows.values()), "says": d.error}
        for d in fact.databases
    ]  # fmt: skip
    parts: list[tuple[str, list[dict[str, object]]]]
    parts = [("Containers", running), ("Endpoints", answers), ("Databases", databases)]
    views = [table(title, rows, mono=("image", "says")) for title, rows in parts if rows]
    return sum(views[1:], views[0]) if views else callout("unknown", "nothing could be observed")


def _answer(status: int, expected: int) -> str:
    return f"{'' if status == expected else SIGNS['fail'] + ' '}{status or 'nothing'}"


def evidence(title: str, items: Iterable[Evidence]) -> View:
    """Failures and unknowns as they are; the passes, all of them too, behind a click."""
    ordered = sorted(items, key=lambda e: WORST.index(e.verdict))
    passed = [e for e in ordered if e.verdict == "pass"]
    open_ones = [e for e in ordered if e.verdict != "pass"]
    below = folded(f"✓ {len(passed)} checks passed", table("Passed", [_row(e) for e in passed], mono=CODE))
    if not open_ones:
        return callout("pass", title, f"all {len(passed)} checks passed") + below
    return table(title, [_row(e) for e in open_ones], mono=CODE) + below


def _row(item: Evidence) -> dict[str, object]:
    return {
        "verdict": item.verdict, "level": item.level, "subject": item.subject,
        "observed": item.observed, "expected": item.expected,
    }  # fmt: skip


def levels(diagnosis: Diagnosis) -> View:
    """Freshness as a grid: levels across, services down; a sign and a colour in each field."""
    grid: dict[str, dict[str, str]] = {}
    for item in diagnosis.evidence:
        if item.level in LEVELS and item.id.split(":")[0] not in ("alive", "answer"):
            service = _service(diagnosis, item)
            row = grid.setdefault(service, {})
            worst = min(row.get(item.level, "pass"), item.verdict, key=WORST.index)
            row[item.level] = worst
    if not grid:
        return View("", "")
    head = "".join(f'<th style="padding:4px 10px;text-align:center">{level}</th>' for level in LEVELS)
    body = "".join(
        f'<tr><th style="text-align:left;padding:4px 10px 4px 0">{html.escape(name)}</th>{_fields(row)}</tr>'
        for name, row in grid.items()
    )
    page = (
        f'<div style="{FONT}"><b>Freshness: does what runs say what the source says?</b>'
        f'<table style="border-collapse:separate;border-spacing:3px;{FONT}"><tr><th></th>{head}</tr>{body}</table>'
        "</div>"
    )
    text = "\n".join(
        f"{name}: " + ", ".join(f"{level} {row.get(level, '–')}" for level in LEVELS) for name, row in grid.items()
    )
    return View(page, f"Freshness\n{text}")


def _service(diagnosis: Diagnosis, item: Evidence) -> str:
    known = {e.subject for e in diagnosis.evidence if e.level == "source"}
    fitting = [name for name in known if f"-{name}-" in f"-{item.subject}-"]
    return max(fitting, key=len, default=item.subject)


def _fields(row: Mapping[str, str]) -> str:
    fields = []
    for level in LEVELS:
        verdict = row.get(level, "")
        colour = COLOURS.get(verdict, "#e5e7eb")
        sign = SIGNS.get(verdict, "–")
        ink = "#fff" if verdict else "#6b7280"
        style = f"background:{colour};color:{ink};text-align:center;min-width:74px;padding:4px 8px;border-radius:3px"
        fields.append(f'<td style="{style}" title="{verdict or "not asked"}">{sign} {verdict or "not asked"}</td>')
    return "".join(fields)


def causes(diagnosis: Diagnosis) -> View:
    """The causes, the surest first, each with its evidence; or that there is none."""
    if not diagnosis.causes:
        kind, title = ("pass", "no cause: everything that was asked is as it must be")
        if diagnosis.verdict != "pass":
            kind, title = "unknown", f"verdict {diagnosis.verdict}, but the evidence names no cause"
        return callout(kind, title)
    views = []
    for cause in diagnosis.causes:
        proof = "\n".join(f"✗ {e.level} {e.subject}: {e.observed} (expected: {e.expected})" for e in cause.evidence)
        contra = "\n".join(f"✓ {e.level} {e.subject}: {e.observed}" for e in cause.against)
        detail = f"{cause.says}\n{proof}" + (f"\nwhich rules out:\n{contra}" if contra else "")
        views.append(callout("fail", f"{cause.id}  (confidence {cause.confidence:.0%})", detail))
    return sum(views[1:], views[0])


def next_step(diagnosis: Diagnosis) -> View:
    """The one thing to do next, with its command."""
    after = diagnosis.next
    command = after.command(diagnosis.target)
    title = f"Next: {after.runbook}" if after.runbook else "Next"
    return callout("note", title, f"{after.why}\n{command}".strip())


def plan(what: Plan) -> View:
    """Each step with its exact command, what it destroys and what brings it back; then the fingerprint."""
    rows = [
        {"#": number, "step": step.id, "on": step.subject, "command": _command(step.argv, step.sql, step.args),
         "destroys": "\n".join(step.destroys) or "nothing", "brought back by": step.recovers or "–"}
        for number, step in enumerate(what.steps, 1)
    ]  # fmt: skip
    notes = "\n".join(what.notes)
    destroyed = "\n".join(f"• {name}" for name in what.destroys) or "• nothing"
    title = f"Plan {what.fingerprint}: {len(what.steps)} steps on {what.target}"
    return table(title, rows, mono=("command",), below="command") + callout(
        "warn", "Destroys or moves", f"{destroyed}\n{notes}"
    )


def _command(argv: Sequence[str], sql: str, args: Mapping[str, Any]) -> str:
    if argv:
        return shlex.join(argv)
    return sql or ", ".join(f"{key}={_whole(value)}" for key, value in args.items())


def _whole(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 90 else f"{text[:87]}…"


def outcomes(title: str, done: Sequence[Mapping[str, Any]]) -> View:
    """What each step did, its seconds and its evidence."""
    rows = [
        {"status": "pass", "step": o["step"], "on": o["subject"], "seconds": f"{o['seconds']:.1f}",
         "evidence": ", ".join(f"{k}={_short(_whole(v))}" for k, v in o["evidence"].items() if v != "")}
        for o in done
    ]  # fmt: skip
    return table(title, rows, mono=("evidence",))
