"""The run of `03-reset`: clean images from clean sources, green beside blue, nothing removed that is not kept."""

from __future__ import annotations

import json
from typing import ClassVar

from drillbook import home
from drillbook.act import build, canary, endpoints, proxy, pull, rollout, set_aside, stack, volume_aside, way_back
from drillbook.decide import reset_pull
from drillbook.decide.diagnose import CODE_CAUSES, Diagnosis, diagnose
from drillbook.decide.evidence import Evidence, overall
from drillbook.decide.plan import Plan
from drillbook.decide.proof import fresh_proof, proof_for_data
from drillbook.decide.reset import plan_reset
from drillbook.decide.reset_images import Commands
from drillbook.decide.reset_stored import plan_databases, plan_volumes
from drillbook.decide.safety import refuse_unsafe
from drillbook.decide.scope import DATA, scope_of
from drillbook.decide.volume_choice import AUTO, volume_names
from drillbook.errors import BadParameters, CheckFailed, Refused
from drillbook.observe.compose import compose_argv
from drillbook.observe.engine import stack_of
from drillbook.observe.facts import Snapshot
from drillbook.observe.held import with_held
from drillbook.observe.registry import RegistryFact, registry_facts
from drillbook.observe.snapshot import observe, with_caches
from drillbook.run.rollout import Rollout
from drillbook.run.stamp import stamp
from drillbook.show import causes as show_causes
from drillbook.show import levels, tables

VERBS = (build, canary, endpoints, proxy, pull, rollout, set_aside, stack, volume_aside, way_back)
"""The modules whose actions this run's plans name."""


CODE = ("containers", "images")
"""Scopes after which what runs is what the source says."""


class ResetRun(Rollout):
    """Holds the target's lock. Replaces what the plan names, and only after its approval."""

    runbook: ClassVar[str] = "reset"

    def confirm(self, facts: Snapshot, scope: str = "auto", source: str = "build") -> Diagnosis:
        """That a reset is what resolves this; with an explicit scope that is the engineer's own word.

        Raises:
            NotThisIncident: scope `auto`, and no code is stale; the hint names the right runbook.
            BadParameters: images from a registry, for a scope that makes no images.
            Refused: another scope than that of the plan which is resumed.
        """
        found = diagnose(facts)
        self.keep_evidence("before", found.evidence)
        self.note("confirm", levels.levels(found) + show_causes.causes(found), causes=sorted(found.names()))
        self.failed_before = {e.id for e in found.evidence if e.verdict == "fail"}
        self.scope = self._resumed_scope(scope) or scope_of(scope, found)
        self.source = self._source(source)
        chosen = {"scope": scope if scope != "auto" or source == "build" else self.scope, "source": source}
        self.words = tuple(f"{key}={value}" for key, value in chosen.items() if value not in ("auto", "build"))
        return found

    def _source(self, source: str) -> str:
        """Where new images come from; a plan that is resumed says so itself."""
        if source == "pull" and self.cut is None and self.scope != "images":
            fact = f"source=pull is for scope=images, and the scope is {self.scope}"
            raise BadParameters(fact, "give scope=images, or leave source out; nothing was changed")
        return source

    def _resumed_scope(self, scope: str) -> str:
        if self.cut is None:
            return ""
        planned = str(self.cut.plan.basis["scope"])
        if scope not in ("auto", planned):
            raise Refused(f"the plan of {self.cut.run} is of scope {planned}, not {scope}", "leave scope out")
        return planned

    def plan(self, volumes: str | list[str] = AUTO) -> Plan:
        """Each step, its argv, what it destroys, what can bring it back. Changes nothing.

        *volumes* are those of scope `volumes`, by key or by name; `auto` are the caches.

        Raises:
            BadParameters: there is no such volume, or volumes were given for another scope.
            Refused: another project holds the target's name, or a database's files would go with its container.
            NotProven: no fresh proven backup holds what is there now.
        """
        if volumes != AUTO and self.scope != "volumes":
            raise BadParameters(f"volumes are for scope=volumes, and the scope is {self.scope}", "leave them out")
        self.volumes, self.stamp = volumes, stamp(self.folder.parent, self.scope)
        if volumes != AUTO:
            self.words += (f"volumes={volumes if isinstance(volumes, str) else json.dumps(volumes)}",)
        return self.planned()

    def plan_of(self, facts: Snapshot) -> Plan:
        refuse_unsafe(self.target, facts)
        if self.scope in DATA:
            return self._stored(facts)
        backup = fresh_proof(facts, self.target.backup.max_age_hours)
        staging = home.outputs() / ".staging" / self.target.identity
        override = staging.with_suffix(".override.json")
        commands = Commands((), (), str(staging))
        if self.target.stack is not None:
            staged = (*compose_argv(self.target, directory=staging), "-f", str(override))
            commands = Commands(compose_argv(self.target), staged, str(staging), str(override))
        return plan_reset(
            self.target, with_caches(self.target, facts), self.scope, backup, commands, self._registry(facts)
        )

    def _stored(self, facts: Snapshot) -> Plan:
        """The plan for what is stored: databases, or volumes."""
        target, age = self.target, self.target.backup.max_age_hours
        if self.scope == "database":
            return plan_databases(target, facts, proof_for_data(facts, age, "database"), self.stamp)
        stack_of(target)
        names = volume_names(target, facts, self.volumes)
        seen = with_held(target, facts, names)
        proof = proof_for_data(seen, age, "volumes", names)
        return plan_volumes(target, seen, proof, self.stamp, names)

    def _registry(self, facts: Snapshot) -> dict[str, RegistryFact] | None:
        """What each image means at its registry now; asked anew for every plan, so that an approval is for a digest."""
        if self.source != "pull" or self.target.stack is None:
            return None
        return registry_facts(self.target, reset_pull.references(self.target.stack, facts))

    def verify(self) -> None:
        """The same observation again, held against the plan's promise; `unknown` where some of that cannot be seen.

        Raises:
            CheckFailed: something that the reset should have resolved is still there.
        """
        found = diagnose(observe(self.target))
        self.keep_evidence("after", found.evidence)
        left = [cause for cause in found.causes if self.scope in CODE and cause.id in CODE_CAUSES]
        checks = [e for e in found.evidence if self.scope == "database" or e.level != "database"]
        verdict = "fail" if left else overall(e.verdict for e in checks if self._promised(e))
        self.result(plan=self.acted.as_json(), verdict=verdict, steps=self.done, **self.meanwhile())
        view = levels.levels(found) + tables.evidence("After the reset", checks) + self.told_meanwhile()
        self.note("verify", view, verdict=verdict)
        if verdict == "fail":
            names = ", ".join(c.id for c in left) or "endpoints or services still fail"
            raise CheckFailed(
                f"the reset is done, but not all is well: {names}",
                "diagnose again; the way back is drillbook run rollback",
            )

    def _promised(self, check: Evidence) -> bool:
        """Whether the scope answers for it: code and endpoints, a database that is up, or what was well before."""
        if self.scope in CODE:
            return check.id.startswith(("alive:", "answer:", "image:", "bundle:", "response:", "container:"))
        if self.scope == "database":
            return check.id.startswith("database:")
        return check.id.startswith(("alive:", "answer:")) and check.id not in self.failed_before


RUN = ResetRun
