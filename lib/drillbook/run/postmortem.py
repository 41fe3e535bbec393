"""The run of `10-postmortem`: the records of chosen runs, told as one page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from drillbook import home
from drillbook.act.journal import Journal, now
from drillbook.errors import RunbookError
from drillbook.run import incidents
from drillbook.run.record import Record, settle
from drillbook.run.redact import Redactor, secrets_of
from drillbook.run.session import Run
from drillbook.show import page
from drillbook.show.view import View, callout, show, table

TOLD = ("approval-used", "failed", "stopped", "approved", "done")


@dataclass(frozen=True)
class Told:
    """One finished run as its folder tells it."""

    folder: Path
    record: Mapping[str, Any]
    events: tuple[Mapping[str, Any], ...]
    evidence: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    @property
    def result(self) -> Mapping[str, Any]:
        return self.record.get("result") or {}


def read_run(folder: Path) -> Told:
    """The run in *folder*. A run that was cut is settled as aborted; nothing else changes."""
    record = settle(folder).data
    file = folder / "evidence.json"
    evidence = json.loads(file.read_text()) if file.is_file() else {}
    return Told(folder, record, tuple(Journal(folder / "journal.jsonl").lines()), evidence)


class PostmortemRun(Run):
    """Reads other runs' folders; writes only into its own."""

    runbook: ClassVar[str] = "postmortem"

    def observe(self, runs: Sequence[str], hours: float) -> list[Told]:
        """The chosen runs of this target, oldest first, as a table.

        Raises:
            RunbookError: a named run does not exist, or none was found.
        """
        base = home.outputs() / self.target.name
        since = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
        there = sorted(f.parent for f in base.glob("*/run.json") if f.parent != self.folder)
        unknown = sorted(set(runs) - {folder.name for folder in there})
        if unknown:
            raise RunbookError(f"there is no run {unknown[0]} of {self.target.name}", "drillbook runs lists the names")
        told = [read_run(f) for f in there if f.name in runs or not runs]
        told = [t for t in told if runs or (t.record["started"] >= since and t.record["runbook"] != self.runbook)]
        if not told:
            raise RunbookError(f"no run of {self.target.name} in the last {hours:g} hours", "choose more hours")
        self.note("observe", table("Runs", [_run_row(t) for t in told]), runs=[t.folder.name for t in told])
        return told

    def timeline(self, records: Sequence[Told]) -> View:
        """Every journalled event that an author tells, in order of time, in UTC."""
        rows = sorted((row for told in records for row in _events(told)), key=lambda row: str(row["UTC"]))
        view = table("Timeline (UTC)", rows)
        self.note("timeline", view, events=len(rows))
        return view

    def impact(self, records: Sequence[Told]) -> View:
        """What was measured: downtime, requests, rows, causes; and the evidence as it was seen."""
        first, last = records[0].record["started"], max(str(t.record["ended"] or t.record["started"]) for t in records)
        resets = [t.result for t in records if t.record["runbook"] == "reset" and "downtime_seconds" in t.result]
        causes = sorted({c["id"] for t in records for c in t.result.get("causes", [])})
        rows = [
            {"measure": "from the first run to the last", "value": f"{first} to {last}"},
            {"measure": "runs", "value": ", ".join(f"{t.record['runbook']}: {t.record['status']}" for t in records)},
            {"measure": "causes found", "value": ", ".join(causes) or "unknown"},
            {"measure": "downtime while resetting", "value": _sum(resets, "downtime_seconds", "s")},
            {"measure": "requests failed while resetting", "value": _sum(resets, "requests_failed", "")},
            {"measure": "data", "value": _data(records)},
        ]
        views = [table("Impact", rows)]
        for told in records:
            for moment, items in told.evidence.items():
                shown = [
                    {k: item[k] for k in ("verdict", "level", "subject", "observed", "expected")} for item in items
                ]
                views.append(table(f"Evidence of {told.folder.name}, {moment}", shown, mono=("observed", "expected")))
        view = sum(views[1:], views[0])
        self.note("impact", view)
        return view

    def publish(self, title: str, timeline: View, impact: View, actions: Sequence[str]) -> None:
        """Write `postmortem.html`: title, impact, timeline, evidence, action items. One file, nothing outside of it."""
        items = table("Action items", [{"#": n, "action": text, "done": "open"} for n, text in enumerate(actions, 1)])
        file = page.write(self.folder / "postmortem.html", f"Postmortem: {title}", [
            callout("note", f"{self.target.name}: {title}", f"made {now()} from the records of {self.folder.parent}"),
            impact, timeline, items,
        ])  # fmt: skip
        self.result(page=str(file), actions=len(actions))
        self.note("publish", callout("pass", "postmortem.html is written", str(file)))
        show(
            callout(
                "note",
                "Embed",
                "the tables above can be copied as they are; secrets were taken out when the runs ended",
            )
        )

    def remember(self, incident: str, title: str, records: Sequence[Told]) -> None:
        """Write `parameters/incidents/<incident>.yaml` from the runs; nothing for an empty id.

        Raises:
            BadParameters: the id is no plain name, or is taken.
        """
        if not incident:
            show(
                callout("note", "not remembered", "give the parameter incident an id to add it to the known incidents")
            )
            return
        redactor = Redactor(secrets_of(self.target, self.record.parameters))
        runs = [Record.load(told.folder) for told in records]
        runs = [replace(run, result=redactor.tree(run.result)) for run in runs]
        file = incidents.write(incident, incidents.described(incident, title, runs, self.folder.name))
        self.note("remember", callout("pass", f"{file.name} is written", f"{file}\nread it, mend its words, commit it"))


def _run_row(told: Told) -> dict[str, object]:
    record = told.record
    error = record.get("error") or {}
    return {
        "run": told.folder.name,
        "runbook": record["runbook"],
        "status": record["status"],
        "verdict": told.result.get("verdict", "–"),
        "seconds": record.get("seconds") or "–",
        "fact": error.get("fact", ""),
    }


def _events(told: Told) -> list[dict[str, object]]:
    runbook = told.record["runbook"]
    rows: list[dict[str, object]] = [
        {"UTC": told.record["started"], "runbook": runbook, "event": "started", "what": told.folder.name}
    ]
    for entry in told.events:
        if entry["event"] in TOLD:
            what = entry.get("fact") or entry.get("step") or entry.get("fingerprint", "")
            rows.append({"UTC": entry["at"], "runbook": runbook, "event": entry["event"], "what": what})
    if told.record.get("ended"):
        rows.append(
            {
                "UTC": told.record["ended"],
                "runbook": runbook,
                "event": told.record["status"],
                "what": told.record["reason"],
            }
        )
    return rows


def _sum(results: Sequence[Mapping[str, Any]], key: str, unit: str) -> str:
    return f"{sum(r[key] for r in results):g} {unit}".strip() if results else "unknown: no reset was carried out"


def _data(records: Sequence[Told]) -> str:
    checks = [t for t in records if t.record["runbook"] in ("restore", "verify") and t.result.get("verdict")]
    if not checks:
        return "unknown: neither a restore nor a verify is among the runs"
    return ", ".join(f"{t.record['runbook']}: {t.result['verdict']}" for t in checks)


RUN = PostmortemRun
