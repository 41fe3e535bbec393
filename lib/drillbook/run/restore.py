"""The run of `04-restore`: a backup put back beside what is there, compared, and switched in at the end."""

from __future__ import annotations

from typing import ClassVar

from drillbook.act import restore, restore_volume, switch
from drillbook.decide.diagnose import DATA_CAUSES, Diagnosis, diagnose
from drillbook.decide.evidence import Evidence, overall
from drillbook.decide.plan import Plan
from drillbook.decide.restore import plan_restore
from drillbook.errors import CheckFailed, NotThisIncident
from drillbook.observe.data import data_facts
from drillbook.observe.facts import Snapshot
from drillbook.observe.snapshot import observe
from drillbook.run.session import Run
from drillbook.show import causes as show_causes
from drillbook.show import tables
from drillbook.vault.catalog import Backup, Vault

VERBS = (restore, restore_volume, switch)
"""The modules whose actions this run's plans name."""

NEWEST = "newest"


class RestoreRun(Run):
    """Holds the target's lock. Keeps what it replaces aside; drops nothing."""

    runbook: ClassVar[str] = "restore"
    writes: ClassVar[bool] = True

    def observe(self) -> Snapshot:
        """What is left, as a table."""
        self.facts = observe(self.target)
        self.note("observe", tables.snapshot(self.facts))
        return self.facts

    def confirm(self, facts: Snapshot, backup: str = NEWEST) -> Diagnosis:
        """That data is lost; a backup that is named is the engineer's own word.

        Raises:
            NotThisIncident: nothing is lost, and no backup was named.
        """
        found = diagnose(facts)
        self.keep_evidence("before", found.evidence)
        self.note("confirm", show_causes.causes(found), causes=sorted(found.names()))
        if backup == NEWEST and self._proven_there() and not found.names() & DATA_CAUSES:
            raise NotThisIncident(
                f"no data is missing on {self.target.name}: nothing was lost since the newest backup",
                f"to go back in any case name it: -p backup=NAME (drillbook backups --target {self.target.name})",
                found.as_json(),
            )
        return found

    def _proven_there(self) -> bool:
        """Whether there is a proven backup at all; without one the plan says so, which is the better fact."""
        return any(b.proven and b.identity == self.target.identity for b in self.facts.backups)

    def plan(self, backup: str = NEWEST) -> Plan:
        """Restore beside, compare, switch; each statement, and what is moved aside. Changes nothing.

        Raises:
            NotProven: there is no proven backup.
        """
        vault = Vault.of(self.target)
        self.chosen = vault.choose("proven" if backup == NEWEST else backup, self.target.identity)
        return self.show_plan(self._plan(self.chosen))

    def _plan(self, chosen: Backup) -> Plan:
        facts = data_facts(self.target)
        return plan_restore(self.target.name, chosen, facts, jobs=self.target.backup.jobs)

    def act(self, plan: Plan) -> None:
        """Re-observe, check that the approval covers the plan as it is now, then carry it out.

        Raises:
            NotApproved: nobody approved it, or the facts have changed since.
            StepFailed: a step did not do what it promised; before the switch nothing has changed.
        """
        now = self._plan(self.chosen)
        if now.fingerprint != plan.fingerprint:
            self.show_plan(now)
        if not self.approval.covers(now):
            raise self._not_approved(now)
        self.journal.write("approval-used", fingerprint=now.fingerprint)
        self.done = self.carry_out(now)
        self.acted = now

    def verify(self) -> None:
        """The same observation again, beside what was compared before the switch and the volumes' start.

        What the application has written since does not count against the backup.

        Raises:
            CheckFailed: something differs, or data is still missing.
        """
        found = diagnose(observe(self.target))
        checks = [Evidence(**check) for check in self.done[-1]["evidence"]["checks"]]
        checks += [e for e in found.evidence if e.level == "database"]
        verdict = overall(check.verdict for check in checks)
        self.keep_evidence("after", checks)
        told = [check.as_json() for check in checks]
        self.result(plan=self.acted.as_json(), verdict=verdict, checks=told, backup=self.chosen.name, steps=self.done)
        self.note("verify", tables.evidence(f"Against {self.chosen.name}: {verdict}", checks), verdict=verdict)
        if verdict != "pass":
            wrong = [c for c in checks if c.verdict != "pass"]
            fact = f"{len(wrong)} of {len(checks)} checks are not passed: {wrong[0].id} {wrong[0].observed}"
            raise CheckFailed(fact, "what was there before is kept aside; the plan's last column brings it back", told)


RUN = RestoreRun
