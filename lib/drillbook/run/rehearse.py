"""The run of `08-rehearse`: the reset done to a copy of the target, to know whether it would work and what it takes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from drillbook.act import netns, rehearsing
from drillbook.act.lock import lock
from drillbook.act.rehearsal import FOLDER, STATE, Rehearsal
from drillbook.act.rehearse_source import placed, size_of
from drillbook.decide.diagnose import Diagnosis, diagnose
from drillbook.decide.plan import Plan
from drillbook.decide.proof import fresh_proof
from drillbook.decide.rehearse import containers_by_service, plan_rehearse
from drillbook.decide.rehearse_making import Making, project_name
from drillbook.decide.rehearse_planned import Planned
from drillbook.decide.rehearse_room import disk_needed, refuse_crowded
from drillbook.decide.rehearsed import Before, Rehearsed, not_rehearsed, untouched
from drillbook.decide.scope import scope_of
from drillbook.errors import CheckFailed, NotProven, Refused, RunbookError
from drillbook.observe import engine
from drillbook.observe.compose import rendered
from drillbook.observe.facts import BackupFact, Snapshot
from drillbook.observe.footprint import footprint
from drillbook.observe.leading_out import leading_out
from drillbook.observe.snapshot import observe
from drillbook.run.rehearse_reset import Planner, rehearsed
from drillbook.run.session import Run
from drillbook.show import causes, levels, plans, tables
from drillbook.show import rehearse as shown
from drillbook.show.view import folded, show
from drillbook.vault.catalog import Backup, Vault

VERBS = rehearsing.VERBS
"""The modules whose actions this run's plans name."""


class RehearseRun(Run):
    """Touches nothing of the target; makes a copy of it on the same engine, resets that, and removes it.

    Takes no lock: a reset at night must not wait for a rehearsal. It begins only while nobody holds the lock, and
    says so when somebody acted meanwhile.
    """

    runbook: ClassVar[str] = "rehearse"

    def observe(self) -> Snapshot:
        """What runs now, as a table."""
        self.facts = observe(self.target)
        self.note("observe", tables.snapshot(self.facts))
        return self.facts

    def confirm(self, facts: Snapshot, scope: str = "auto") -> Diagnosis:
        """Which reset is rehearsed: what the diagnosis calls for, or the scope that was asked for.

        Raises:
            NotThisIncident: scope `auto`, and no code is stale.
        """
        found = diagnose(facts)
        self.keep_evidence("before", found.evidence)
        self.note("confirm", levels.levels(found) + causes.causes(found), causes=sorted(found.names()))
        self.scope = scope_of(scope, found)
        return found

    def plan(self, keep: bool = False) -> Plan:
        """Each step of the rehearsal, what it takes and where the copy is unlike; and the reset that is rehearsed.

        Raises:
            NotProven: there is no proven backup to fill the copy from.
            Refused: the copy could not be like the target, or would crowd it.
        """
        if self.target.stack is None or not engine.is_local(self.target):
            fact = f"target {self.target.name} has no stack on this machine's engine, so no copy of it can be made"
            raise Refused(fact, "run this where its containers run; 06-drill rehearses a restore")
        self.backup = Vault.of(self.target).choose("proven", self.target.identity)
        self.proven = _fact(self.facts, self.backup)
        self.refused = self._refused()
        self.real = Planner(self, self.target, self.scope, self.proven).plan_of(self.facts)
        self.rehearsal = self._rehearsal(keep)
        self.bytes = size_of(self.rehearsal.target)
        what = self._planned(keep)
        refuse_crowded(self.target.name, what.footprint, what.needed, self.facts.disks)
        found = self.show_plan(plan_rehearse(self.target, self.facts, self.rehearsal.config, what))
        show(folded(f"The reset that is rehearsed: {len(self.real.steps)} steps", plans.plan(self.real)))
        return found

    def _refused(self) -> str:
        """Why the real reset would be refused as long as nobody makes a new backup; empty when it would not."""
        try:
            fresh_proof(self.facts, self.target.backup.max_age_hours)
        except NotProven as error:
            return str(error)
        return ""

    def _rehearsal(self, keep: bool) -> Rehearsal:
        stack, token = engine.stack_of(self.target), secrets.token_hex(3)
        config, folder = rendered(self.target), self.target.staging / f"{FOLDER}{token}"
        making = Making(
            project_name(stack.project, token), str(self.target.directory), str(placed(self.target, folder)),
            str(folder / "scratch"), netns.is_possible(), leads_out=leading_out(config),
            there=containers_by_service(self.facts),
        )  # fmt: skip
        return Rehearsal(self.target, config, making, folder, self.folder.name, self._perform, keep)

    def _planned(self, keep: bool) -> Planned:
        manifest, rehearsal = self.backup.whole(), self.rehearsal
        used = footprint(self.target, self.facts.containers)
        needed = disk_needed(self.facts, manifest, self.bytes)
        return Planned(self.scope, keep, rehearsal.making, rehearsal.made, manifest, used, needed)

    def act(self, plan: Plan) -> None:
        """Make the copy, reset it, remove it. A reset that fails there ends in `verify`, after all is removed.

        Raises:
            Locked: another run acts on the target.
            Refused: the target has changed since the plan was made.
            StepFailed: the copy could not be made like the target; then nothing is known of the reset.
        """
        with lock(self.target, self.folder.name, "to see that nobody acts on it"):
            before = self._now()
        if {c.id for c in before[0]} != {c.id for c in self.facts.containers}:
            raise Refused(f"{self.target.name} has changed since the plan was made", "run the cells from Observe on")
        self.context.state[STATE] = self.rehearsal
        self.began = datetime.now(UTC)
        done = self.carry_out(plan)
        self.copied = {step["step"]: step for step in done}
        self.untouched = untouched(self.target.name, before, self._now())

    def _now(self) -> Before:
        return engine.containers(self.target), engine.volumes(self.target)

    def _perform(self, rehearsal: Rehearsal) -> Mapping[str, Any]:
        self.rehearsed = rehearsed(self, rehearsal, self.scope, self.proven)
        verdict = "pass" if self.rehearsed.works else "fail"
        return {"verdict": verdict, "failed": self.rehearsed.failed, "seconds": self.rehearsed.seconds}

    def verify(self) -> None:
        """Whether the real reset would work, how long it would take, and for how long it would be down.

        Raises:
            CheckFailed: it would fail; or somebody changed the target meanwhile, so that nothing is known.
        """
        found, copy = self.rehearsed, self._copy()
        missing = self._missing(found)
        verdict = "unknown" if self.untouched.verdict != "pass" else "pass" if found.works else "fail"
        self.keep_evidence("after", [self.untouched])
        self.result(
            plan=found.plan.as_json() if found.plan else None, verdict=verdict, steps=list(found.steps), copy=copy,
            would={**found.would(), "refused": self.refused}, backup=self.backup.name, not_rehearsed=missing,
            failed={"step": found.failed, "fact": found.fact, "back": found.back} if found.failed else None,
            untouched=self.untouched.as_json(),
        )  # fmt: skip
        view = shown.answer(self.target.name, found, copy) + shown.minded(missing, self.refused, self.untouched)
        if self.rehearsal.keep:
            view += shown.kept(self.copied["end"]["evidence"])
        self.note("verify", view + shown.steps(found), verdict=verdict)
        self._judge(found)

    def _judge(self, found: Rehearsed) -> None:
        if self.untouched.verdict != "pass":
            fact = f"somebody acted on {self.target.name} while it was rehearsed: {self.untouched.observed}"
            raise CheckFailed(fact, "what was measured is worth nothing: rehearse again")
        if found.failed:
            hint = f"nothing of {self.target.name} was touched; {found.hint or 'mend it'}; then rehearse again"
            raise CheckFailed(f"the reset would fail in {found.failed}: {found.fact}", hint)

    def _copy(self) -> dict[str, Any]:
        """What the copy took to make."""
        made = [step for name, step in self.copied.items() if name not in ("reset", "end")]
        return {
            "project": self.rehearsal.making.project, "seconds": round(sum(s["seconds"] for s in made), 1),
            "restore_seconds": round(sum(self.rehearsal.seconds.values()), 1), "bytes": self.backup.bytes,
            "closed": self.rehearsal.making.closed, "kept": self.rehearsal.keep,
        }  # fmt: skip

    def _missing(self, found: Rehearsed) -> list[str]:
        stack = engine.stack_of(self.target)
        return (
            not_rehearsed(self.real, found.plan, (stack.project, self.rehearsal.making.project)) if found.plan else []
        )


def _fact(facts: Snapshot, backup: Backup) -> BackupFact:
    """The backup as a planner needs it.

    Raises:
        RunbookError: the vault could not be read when the target was observed.
    """
    found = next((fact for fact in facts.backups if fact.name == backup.name), None)
    if found is None:
        raise RunbookError(f"{backup.name} was not there when the target was observed", "run the cells from Observe on")
    return found


RUN = RehearseRun
