"""The run of `01-diagnose`: observe, name the causes, point to the next runbook."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any, ClassVar

from drillbook.act import durable
from drillbook.decide.caches import cache_map
from drillbook.decide.diagnose import Diagnosis
from drillbook.decide.diagnose import diagnose as decide
from drillbook.decide.differences import differences
from drillbook.decide.dockerfile import findings
from drillbook.decide.early import early
from drillbook.decide.incidents import matches
from drillbook.decide.rows import rows_against_backup
from drillbook.decide.signs import warning
from drillbook.observe.facts import Snapshot
from drillbook.observe.incidents import incidents
from drillbook.observe.snapshot import observe, with_signs
from drillbook.observe.unknowns import Unknowns
from drillbook.run.filled import made_ready
from drillbook.run.history import failures_before, last_healthy
from drillbook.run.session import Run
from drillbook.show import caches as show_caches
from drillbook.show import causes, levels, picture, rows, tables
from drillbook.show import findings as show_findings
from drillbook.show import incidents as show_incidents
from drillbook.show import signs as show_signs
from drillbook.show.view import callout


class DiagnoseRun(Run):
    """Reads only: it takes no lock and changes nothing."""

    runbook: ClassVar[str] = "diagnose"

    @property
    def named(self) -> str:
        """The target as it was given: its name or its file."""
        return str(self.record.parameters.get("target", self.target.name))

    def observe(self) -> Snapshot:
        """Everything that can be seen now, as tables; rows of every table against the last backup."""
        facts = with_signs(self.target, observe(self.target), last_healthy(self.target))
        lost = rows_against_backup(facts)
        view = tables.snapshot(facts) + rows.rows(lost)
        self.note("observe", view, unknown=dict(facts.unknown))
        return facts

    def diagnose(self, facts: Snapshot) -> Diagnosis:
        """The causes that the facts name, each with its evidence; the picture of freshness above them."""
        found = decide(facts)
        self.keep_evidence("observe", found.evidence)
        durable.replace(self.folder / "freshness.svg", picture.freshness(found).encode())
        self.told = {**found.as_json(self.named), **_beside(facts)}
        self.result(**self.told)
        view = causes.causes(found) + levels.levels(found) + levels.files(differences(facts))
        self.note("confirm", view, causes=sorted(found.names()), verdict=found.verdict)
        return found

    def warnings(self, facts: Snapshot, diagnosis: Diagnosis) -> None:
        """Early-warning signs, and the known incidents that this one is like, with what resolved them."""
        signs, rule, wrong = facts.signs, self.target.signs, Unknowns()
        before = failures_before(self.target, signs.deployed_at) if signs else ()
        told = warning(signs, rule, early(facts, rule, before)) if signs else None
        known = wrong.attempt("incidents", incidents, ())
        alike = matches(known, facts, [cause.id for cause in diagnosis.causes])
        self.told = {**self.told, "signs": told and told.as_json(), "incidents": [m.as_json() for m in alike]}
        self.result(**self.told)
        view = show_signs.warning(told) + show_incidents.matches(alike)
        if wrong:
            view += callout("unknown", "the known incidents could not be read", wrong["incidents"])
        self.note("warnings", view, incidents=[m.incident.id for m in alike])

    def caches(self, facts: Snapshot) -> None:
        """Every cache between source and response, with what clears it; then the traps in Dockerfiles and contexts."""
        if self.target.stack is None:
            self.note("caches", callout("note", "a database alone has no caches between source and response"))
            return
        mapped, traps = cache_map(facts, time.time()), findings(facts)
        self.told = {
            **self.told, "caches": [asdict(c) for c in mapped], "findings": [asdict(f) for f in traps],
        }  # fmt: skip
        self.result(**self.told)
        self.note("caches", show_caches.cache_map(mapped) + show_findings.findings(traps), findings=len(traps))

    def verify(self, diagnosis: Diagnosis) -> None:
        """All evidence, failures first, and the one runbook to open next, made ready beside this one."""
        after, link = diagnosis.next, ""
        if after.runbook:
            link = str(made_ready(after.runbook, self.named, after.parameters, self.folder))
        view = tables.evidence(f"Evidence: {diagnosis.verdict}", diagnosis.evidence)
        view += causes.next_step(diagnosis, self.named, link)
        self.note("verify", view, next=after.as_json(self.named))


def _beside(facts: Snapshot) -> dict[str, Any]:
    return {
        "files": [asdict(d) for d in differences(facts)],
        "rows": [r.as_json() for r in rows_against_backup(facts)],
    }


RUN = DiagnoseRun
