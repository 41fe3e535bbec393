"""Facts, evidence and outcomes as tables. Renders; decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from drillbook.decide.evidence import Evidence
from drillbook.observe.facts import Snapshot
from drillbook.show.plans import whole
from drillbook.show.view import SIGNS, View, callout, folded, table

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


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 90 else f"{text[:87]}…"


def _status(evidence: Mapping[str, Any]) -> str:
    """What a step's evidence says of it: its verdict, or that its check was left out; `done` where it judges none."""
    verdict = evidence.get("verdict")
    if verdict in SIGNS:
        return str(verdict)
    return "left out" if evidence.get("left_out") else "done"


def outcomes(title: str, done: Sequence[Mapping[str, Any]]) -> View:
    """What each step did, its seconds and its evidence."""
    rows = [
        {"status": _status(o["evidence"]), "step": o["step"], "on": o["subject"], "seconds": f"{o['seconds']:.1f}",
         "evidence": ", ".join(f"{k}={_short(whole(v))}" for k, v in o["evidence"].items() if v != "")}
        for o in done
    ]  # fmt: skip
    return table(title, rows, mono=("evidence",))
