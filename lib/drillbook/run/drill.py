"""The run of `06-drill`: the newest backup restored into a scratch server, compared, and proven or not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from drillbook.act import drill, drill_volume
from drillbook.decide.drill import plan_drill
from drillbook.decide.evidence import Evidence
from drillbook.decide.plan import Plan
from drillbook.errors import CheckFailed
from drillbook.run.session import Run
from drillbook.show import tables
from drillbook.show.view import callout, table
from drillbook.vault.catalog import Backup, Vault

VERBS = (drill, drill_volume)
"""The modules whose actions this run's plans name."""


class DrillRun(Run):
    """Touches nothing of the target; makes and removes scratch servers; writes a proof beside the backup."""

    runbook: ClassVar[str] = "drill"

    def observe(self) -> tuple[Backup, ...]:
        """What the vault holds, newest first, as a table."""
        backups = Vault.of(self.target).backups()
        now = datetime.now(UTC)
        rows = [
            {
                "backup": b.name,
                "standing": b.verdict,
                "age (h)": f"{b.age_seconds(now) / 3600:.1f}" if b.header else "–",
                "tables": b.header.tables if b.header else "–",
                "rows": b.header.rows if b.header else "–",
                "MB": f"{b.bytes / 1e6:.1f}",
            }
            for b in reversed(backups)
        ]
        self.note("observe", table(f"Backups in {self.target.vault_url}", rows), backups=[b.name for b in backups])
        return backups

    def plan(self, backup: str = "newest") -> Plan:
        """Check, restore, compare, prove. Only scratch things are made and removed.

        Raises:
            VaultError: there is no such backup.
        """
        chosen = Vault.of(self.target).choose(backup, self.target.identity)
        jobs = self.target.backup.jobs
        found = plan_drill(self.target.name, self.target.identity, chosen.whole(), chosen.manifest_sha256, jobs)
        return self.show_plan(found)

    def act(self, plan: Plan) -> None:
        """Restore for real and compare; the proof says how it went.

        Raises:
            CheckFailed: the backup is not proven; each check is told first.
        """
        try:
            self.proof = self.carry_out(plan)[-1]["evidence"]
        except CheckFailed as error:
            if isinstance(error.evidence, dict):
                self._tell(error.evidence)
            raise

    def verify(self) -> None:
        """Each check on its own, and the seconds that a restore takes, against its budget."""
        self._tell(self.proof)

    def _tell(self, proof: dict[str, Any]) -> None:
        checks = [Evidence(**check) for check in proof["checks"]]
        budget = self.target.backup.rto_budget_seconds
        seconds = proof["rto_seconds"]
        kind = "pass" if seconds <= budget else "warn"
        rto = callout(kind, f"a restore takes {seconds:.1f} s", f"the budget is {budget:.0f} s (RTO)")
        self.keep_evidence("drill", checks)
        self.result(**{key: proof[key] for key in ("backup", "verdict", "checks", "rto_seconds")})
        self.note("verify", tables.evidence(f"Drill of {proof['backup']}: {proof['verdict']}", checks) + rto)


RUN = DrillRun
