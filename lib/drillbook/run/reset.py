"""The run of `03-reset`: clean images from clean sources, one service after the other, nothing removed."""

from __future__ import annotations

from typing import Any, ClassVar

from drillbook import home
from drillbook.act import stack, switch
from drillbook.decide.diagnose import CODE_CAUSES, Diagnosis, diagnose
from drillbook.decide.evidence import Evidence
from drillbook.decide.plan import Plan
from drillbook.decide.reset import Commands, fresh_proof, plan_reset, scope_of
from drillbook.errors import CheckFailed
from drillbook.observe.compose import compose_argv
from drillbook.observe.facts import Snapshot
from drillbook.observe.probe import Probe
from drillbook.observe.snapshot import observe
from drillbook.run.session import Run
from drillbook.show import causes as show_causes
from drillbook.show import levels, tables
from drillbook.show.view import View, callout

VERBS = (stack, switch)
"""The modules whose actions this run's plans name."""


class ResetRun(Run):
    """Holds the target's lock. Replaces what the plan names, and only after its approval."""

    runbook: ClassVar[str] = "reset"
    writes: ClassVar[bool] = True

    def observe(self) -> Snapshot:
        """What runs now, as a table."""
        self.facts = observe(self.target)
        self.note("observe", tables.snapshot(self.facts))
        return self.facts

    def confirm(self, facts: Snapshot, scope: str = "auto") -> Diagnosis:
        """That a reset is what resolves this; with an explicit scope that is the engineer's own word.

        Raises:
            NotThisIncident: scope `auto`, and no code is stale; the hint names the right runbook.
        """
        found = diagnose(facts)
        self.keep_evidence("before", found.evidence)
        self.note("confirm", levels.levels(found) + show_causes.causes(found), causes=sorted(found.names()))
        self.scope = scope_of(scope, found)
        return found

    def plan(self, scope: str = "auto") -> Plan:
        """Each step, its argv, what it destroys, what can bring it back. Changes nothing.

        Raises:
            NotProven: no fresh proven backup holds what the databases hold now.
        """
        self.asked_scope = scope
        return self.show_plan(self._plan(self.facts, self.scope))

    def _plan(self, facts: Snapshot, scope: str) -> Plan:
        backup = fresh_proof(facts, self.target.backup.max_age_hours)
        staging = home.outputs() / ".staging" / self.target.identity
        commands = Commands((), (), str(staging))
        if self.target.stack is not None:
            commands = Commands(compose_argv(self.target), compose_argv(self.target, directory=staging), str(staging))
        return plan_reset(self.target, facts, scope, backup, commands)

    def act(self, plan: Plan) -> None:
        """Re-observe, check that the approval covers the plan as it is now, then carry it out.

        Raises:
            NotApproved: nobody approved it, or the facts have changed since.
            StepFailed: a step did not do what it promised; later steps were not tried.
        """
        now = self._plan(observe(self.target), self.scope)
        if now.fingerprint != plan.fingerprint:
            self.show_plan(now)
        if not self.approval.covers(now):
            raise self._not_approved(now)
        self.journal.write("approval-used", fingerprint=now.fingerprint)
        with Probe([(k, e) for k, e in self.target.endpoints.items()]) as probe:
            self.done = self.carry_out(now)
        self.probe, self.acted = probe, now

    def verify(self) -> None:
        """The same observation again, held against the plan's promise.

        Raises:
            CheckFailed: something that the reset should have resolved is still there.
        """
        found = diagnose(observe(self.target))
        self.keep_evidence("after", found.evidence)
        left = [cause for cause in found.causes if self.scope != "database" and cause.id in CODE_CAUSES]
        checks = [e for e in found.evidence if self.scope == "database" or e.level != "database"]
        verdict = (
            "fail" if left else "pass" if all(e.verdict != "fail" for e in _promised(checks, self.scope)) else "fail"
        )
        self.result(plan=self.acted.as_json(), verdict=verdict, steps=self.done, **self._meanwhile())
        view = levels.levels(found) + tables.evidence("After the reset", checks) + self._told_meanwhile()
        self.note("verify", view, verdict=verdict)
        if verdict != "pass":
            names = ", ".join(c.id for c in left) or "endpoints or services still fail"
            raise CheckFailed(
                f"the reset is done, but not all is well: {names}", "diagnose again; replaced images are kept"
            )

    def _told_meanwhile(self) -> View:
        probe = self.probe
        said = f"{probe.failed} of {probe.asked} requests failed, {probe.down_seconds:.1f} s summed over the endpoints"
        before = "; what failed before the reset counts until it was mended" if probe.failed else ""
        return callout("note", "While the reset acted", said + before)

    def _meanwhile(self) -> dict[str, Any]:
        probe = self.probe
        return {
            "downtime_seconds": round(probe.down_seconds, 2),
            "requests": probe.asked,
            "requests_failed": probe.failed,
            "failures": probe.failures,
        }


def _promised(checks: list[Evidence], scope: str) -> list[Evidence]:
    """What a reset of *scope* answers for: code and endpoints, or a database that is up."""
    prefixes = (
        ("database:",) if scope == "database" else ("alive:", "answer:", "image:", "bundle:", "response:", "container:")
    )
    return [e for e in checks if e.id.startswith(prefixes)]


RUN = ResetRun
