"""The run of `06-drill`: the newest backup restored into a scratch server, compared, and proven or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from drillbook.act import drilling
from drillbook.decide.drill import plan_drill
from drillbook.decide.evidence import Evidence
from drillbook.decide.ladder import Asked
from drillbook.decide.plan import Plan
from drillbook.errors import CheckFailed
from drillbook.run import pgbackrest
from drillbook.run.session import Run
from drillbook.show import history, junit, tables
from drillbook.show.view import View, callout, table
from drillbook.vault.catalog import Backup, Vault
from drillbook.vault.proof import Tier

VERBS = (*drilling.VERBS, *pgbackrest.VERBS)
"""The modules whose actions this run's plans name."""
RESULT = ("backup", "verdict", "tier", "standing", "checks", "left_out", "rto_seconds", "kept")


class DrillRun(Run):
    """Touches nothing of the target; makes and removes scratch servers; writes a proof beside the backup."""

    runbook: ClassVar[str] = "drill"

    def observe(self) -> tuple[Backup, ...]:
        """What the vault holds, newest first, and how earlier drills went, as tables."""
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
        seen = table(f"Backups in {self.target.vault_url}", rows) + history.earlier(backups)
        self.note("observe", seen, backups=[b.name for b in backups])
        return backups

    def plan(self, backup: str = "newest", tier: Tier = "full", keep_on_failure: bool = False) -> Plan:
        """Check, restore, compare, prove. Only scratch things are made and removed.

        Raises:
            VaultError: there is no such backup.
        """
        chosen = Vault.of(self.target).choose(backup, self.target.identity)
        rules = self.target.backup
        asked = Asked(tier, rules.jobs, rules.rto_budget_seconds, keep_on_failure, self.target.drill)
        found = plan_drill(self.target.name, self.target.identity, chosen.whole(), chosen.manifest_sha256, asked)
        self.began = datetime.now(UTC)
        return self.show_plan(pgbackrest.drill(self.target, found, chosen.whole()))

    def act(self, plan: Plan) -> None:
        """Restore for real and compare; the proof says how it went.

        Raises:
            CheckFailed: the backup is not proven, or its restore takes too long; each check is told first.
        """
        try:
            self.proof = self.carry_out(plan)[-1]["evidence"]
        except CheckFailed as error:
            if isinstance(error.evidence, dict):
                self._tell(error.evidence)
            raise

    def verify(self) -> None:
        """Each check on its own, what was left out, and the seconds that a restore takes, against its budget."""
        self._tell(self.proof)

    def _tell(self, proof: dict[str, Any]) -> None:
        checks = [Evidence(**check) for check in proof["checks"]]
        now = datetime.now(UTC)
        seconds = (now - self.began).total_seconds()
        name = f"drill.{self.target.name}"
        self.keep_text("junit.xml", junit.report(name, checks, proof["left_out"], self.began, seconds))
        self.keep_evidence("drill", checks)
        self.result(**{key: proof[key] for key in RESULT})
        title = (
            f"Drill of {proof['backup']}, tier {proof['tier']}: {proof['verdict']}; the backup is {proof['standing']}"
        )
        view = tables.evidence(title, checks) + _left_out(proof["left_out"]) + self._rto(proof) + _kept(proof["kept"])
        plots = history.of_drills(Vault.of(self.target).backups(), self.target, now)
        self.note("verify", view + self.keep_plots(plots))

    def _rto(self, proof: Mapping[str, Any]) -> View:
        if proof["tier"] == "fast":
            return callout("note", "nothing was restored", "how long a restore takes is not known from this drill")
        budget, seconds = self.target.backup.rto_budget_seconds, proof["rto_seconds"]
        kind = "pass" if seconds <= budget else "fail"
        return callout(kind, f"a restore takes {seconds:.1f} s", f"the budget is {budget:.0f} s (RTO)")


def _left_out(items: Sequence[Mapping[str, str]]) -> View:
    """The checks that were not made, which nobody may take for passed."""
    return table("Left out", [dict(item) for item in items]) if items else View("", "")


def _kept(items: Sequence[Mapping[str, Any]]) -> View:
    views = [
        callout("warn", "a scratch server was kept", f"look at it: {one['reach']}\nremove it: {one['remove']}")
        for one in items
    ]
    return sum(views[1:], views[0]) if views else View("", "")


RUN = DrillRun
