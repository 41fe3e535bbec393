"""The run of `04-restore`: a backup put back beside what is there, compared, and switched in at the end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from drillbook.act import drop_kept, move_tables, restore, restore_tables, restore_volume, switch
from drillbook.decide.chosen import EVERYTHING, Into, databases, later, names, observed, wanted
from drillbook.decide.diagnose import DATA_CAUSES, Diagnosis, diagnose
from drillbook.decide.evidence import Evidence, overall
from drillbook.decide.kept import plan_drop
from drillbook.decide.moment import asked_as, named_after, without_volumes
from drillbook.decide.plan import Plan
from drillbook.decide.restore import plan_restore
from drillbook.errors import BadParameters, CheckFailed, NotThisIncident
from drillbook.observe.data import data_facts
from drillbook.observe.facts import Snapshot
from drillbook.observe.kept import kept
from drillbook.observe.live_tables import live_tables
from drillbook.observe.snapshot import observe
from drillbook.run import pgbackrest
from drillbook.run.session import Run
from drillbook.show import causes as show_causes
from drillbook.show import tables
from drillbook.show.view import callout
from drillbook.vault.catalog import Vault

VERBS = (drop_kept, move_tables, restore, restore_tables, restore_volume, switch, *pgbackrest.VERBS)
"""The modules whose actions this run's plans name."""

NEWEST = "newest"
Names = str | list[str]
DEFAULTS = {
    "backup": NEWEST, "databases": "all", "tables": "none", "volumes": "auto", "into": "place", "drop_kept": "none",
}  # fmt: skip


class RestoreRun(Run):
    """Holds the target's lock. Keeps what it replaces aside; drops only what was kept and is provably held."""

    runbook: ClassVar[str] = "restore"
    writes: ClassVar[bool] = True

    def observe(self) -> Snapshot:
        """What is left, as a table."""
        self.facts = observe(self.target)
        self.note("observe", tables.snapshot(self.facts))
        return self.facts

    def confirm(self, facts: Snapshot, backup: str = NEWEST, drop_kept: Names = "none") -> Diagnosis:
        """That data is lost; a backup or moment that is named, or something to drop, is the engineer's own word.

        Raises:
            NotThisIncident: nothing is lost, and no backup was named.
        """
        found = diagnose(facts)
        self.keep_evidence("before", found.evidence)
        self.note("confirm", show_causes.causes(found), causes=sorted(found.names()))
        asked = backup != NEWEST or names(drop_kept) != ("none",)
        if not asked and self._proven_there() and not found.names() & DATA_CAUSES and not self._shut():
            raise NotThisIncident(
                f"no data is missing on {self.target.name}: nothing was lost since the newest backup",
                f"to go back in any case name it: -p backup=NAME (drillbook backups --target {self.target.name})",
                found.as_json(),
            )
        return found

    def _proven_there(self) -> bool:
        """Whether there is a proven backup at all; without one the plan says so, which is the better fact."""
        return any(b.proven and b.identity == self.target.identity for b in self.facts.backups)

    def _shut(self) -> bool:
        """Whether a database lets nobody in, as a switch leaves it that was cut."""
        return any(place.exists and not place.open for place in data_facts(self.target).databases.values())

    def plan(
        self, backup: str = NEWEST, databases: Names = "all", tables: Names = "none", volumes: Names = "auto",
        into: Into = "place", drop_kept: Names = "none",
    ) -> Plan:  # fmt: skip
        """Restore beside, compare, switch; or drop what was kept. Each statement, what it moves. Changes nothing.

        *backup* may be a moment between backups, for targets whose WAL pgBackRest archives.

        Raises:
            BadParameters: something is chosen that the backup has not got, or the moment is not past.
            NotProven: there is no proven backup, or what is to be dropped is in none.
            NoUsableBackup: no backup leads to the moment.
        """
        given = {"backup": backup, "databases": databases, "tables": tables, "volumes": volumes, "into": into}
        self.words = said({**given, "drop_kept": drop_kept})
        self.wanted = wanted(databases, tables, volumes, into)
        self.dropping = () if names(drop_kept) == ("none",) else names(drop_kept)
        if self.dropping and (self.wanted != EVERYTHING or backup != NEWEST):
            raise BadParameters("drop_kept was given with something to restore", "do one, then the other")
        if not self.dropping:
            self.chosen, self.until = pgbackrest.choose(self.target, "proven" if backup == NEWEST else backup)
        return self.show_plan(self._plan())

    def _plan(self) -> Plan:
        if self.dropping:
            backups = Vault.of(self.target).backups()
            found = kept(self.target, self.dropping)
            return plan_drop(self.target.name, self.target.identity, found, self.dropping, backups)
        facts = data_facts(self.target)
        if self.wanted.tables:
            key, looked = observed(self.chosen.whole(), self.wanted)
            facts = replace(facts, tables=live_tables(self.target, key, looked))
        named, choice = named_after(self.chosen, self.until), without_volumes(self.wanted, self.until)
        plan = plan_restore(self.target.name, named, facts, choice, self.target.backup.jobs)
        return pgbackrest.restore(self.target, plan, self.chosen, facts, self.until)

    def act(self, plan: Plan) -> None:
        """Re-observe, check that the approval covers the plan as it is now, then carry it out.

        Raises:
            NotApproved: nobody approved it, or the facts have changed since.
            StepFailed: a step did not do what it promised; before the switch nothing has changed.
        """
        now = self._plan()
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
        checks = self._dropped() if self.dropping else [Evidence(**c) for c in self.done[-1]["evidence"]["checks"]]
        if not self.wanted.partial and not self.dropping:
            checks += [e for e in diagnose(observe(self.target)).evidence if e.level == "database"]
        verdict = overall(check.verdict for check in checks)
        self.keep_evidence("after", checks)
        told = [check.as_json() for check in checks]
        self.result(plan=self.acted.as_json(), verdict=verdict, checks=told, steps=self.done, **self._told())
        against = "what was kept" if self.dropping else self.chosen.name
        notes = [callout("note", "Next", note) for note in self.acted.notes]
        view = sum(notes, tables.evidence(f"Against {against}: {verdict}", checks))
        self.note("verify", view, verdict=verdict)
        if verdict != "pass":
            wrong = [c for c in checks if c.verdict != "pass"]
            fact = f"{len(wrong)} of {len(checks)} checks are not passed: {wrong[0].id} {wrong[0].observed}"
            raise CheckFailed(fact, "what was there before is kept aside; the plan's last column brings it back", told)

    def _dropped(self) -> list[Evidence]:
        return list(self.context.state.get("dropped", ()))

    def _told(self) -> dict[str, Any]:
        """What the result names beside its checks: the backup, and what lies beside with the way to switch to it."""
        if self.dropping:
            return {"dropped": [step.subject for step in self.acted.steps if step.verb == "restore.drop_kept"]}
        found: dict[str, Any] = {"backup": self.chosen.name}
        if self.until is not None:
            found["until"] = self.until.isoformat()
        if self.wanted.into == "beside":
            keys = databases(self.chosen.whole(), self.wanted)
            made = ("restore.database", "pgbackrest.transfer", "restore.tables_beside", "restore.volume_beside")
            found["beside"] = [step.subject for step in self.acted.steps if step.verb in made]
            found["switch"] = later(self.target.name, asked_as(self.chosen, self.until), self.wanted, keys)
        return found


def said(given: Mapping[str, Names]) -> tuple[str, ...]:
    """`name=value` of each parameter that is not its default, as `-p` takes it."""
    return tuple(
        f"{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in given.items()
        if value != DEFAULTS[name]
    )


RUN = RestoreRun
