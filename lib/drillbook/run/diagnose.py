"""The run of `01-diagnose`: observe, name the causes, point to the next runbook."""

from __future__ import annotations

from typing import ClassVar

from drillbook.decide.diagnose import Diagnosis
from drillbook.decide.diagnose import diagnose as decide
from drillbook.observe.facts import Snapshot
from drillbook.observe.snapshot import observe
from drillbook.run.session import Run
from drillbook.show import tables


class DiagnoseRun(Run):
    """Reads only: it takes no lock and changes nothing."""

    runbook: ClassVar[str] = "diagnose"

    def observe(self) -> Snapshot:
        """Everything that can be seen now, as a table."""
        facts = observe(self.target)
        self.note("observe", tables.snapshot(facts), unknown=dict(facts.unknown))
        return facts

    def diagnose(self, facts: Snapshot) -> Diagnosis:
        """The causes that the facts name, each with its evidence; the picture of freshness above them."""
        found = decide(facts)
        self.keep_evidence("observe", found.evidence)
        told = found.as_json()
        self.result(**told)
        self.note(
            "confirm", tables.levels(found) + tables.causes(found), causes=sorted(found.names()), verdict=found.verdict
        )
        return found

    def verify(self, diagnosis: Diagnosis) -> None:
        """All evidence, failures first, and the one runbook to open next."""
        view = tables.evidence(f"Evidence: {diagnosis.verdict}", diagnosis.evidence)
        self.note("verify", view + tables.next_step(diagnosis), next=diagnosis.next.as_json(self.target.name))


RUN = DiagnoseRun
