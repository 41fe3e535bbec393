"""The end of a drill: what it cost in time, the proof beside the backup, and the servers gone or kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from drillbook import __version__
from drillbook.act.drill import Drill, under_way
from drillbook.act.executor import Context, verb
from drillbook.act.guard import finish, guarded
from drillbook.decide.evidence import Evidence, overall
from drillbook.decide.ladder import Asked, left_out
from drillbook.decide.plan import Step
from drillbook.errors import CheckFailed
from drillbook.vault import age
from drillbook.vault.catalog import Vault
from drillbook.vault.proof import Proof

RTO = "rto"


@verb("drill.proof")
@guarded
def write_proof(step: Step, context: Context) -> Mapping[str, Any]:
    """Clean up, or keep a failed drill's servers when that was asked for; then write the proof.

    Raises:
        CheckFailed: a check failed or could not be made, or the restore took too long; its evidence is
            the drill's result.
    """
    drill = under_way(context)
    asked = Asked(tier=step.args["tier"], own=context.target.drill)
    verdict = overall(evidence.verdict for evidence in drill.checks)
    keep = bool(step.args["keep_on_failure"]) and verdict != "pass"
    for server in drill.scratch.values():
        server.fate.kept = keep
    finish(context)
    checks = list(drill.checks)
    if asked.restores:
        checks.append(rto(drill, float(step.args["rto_budget_seconds"])))
    proof = Proof(
        backup=drill.backup.name, manifest_sha256=drill.backup.manifest_sha256, tier=asked.tier, verdict=verdict,
        started=drill.started, ended=datetime.now(UTC), rto_seconds=round(drill.restoring, 3),
        checks=tuple(evidence.as_json() for evidence in checks),
        left_out=(*left_out(asked, drill.backup.whole()), *drill.left_out),
        scratch={key: server.facts for key, server in drill.scratch.items()}, versions={"drillbook": __version__},
    )  # fmt: skip
    to = age.recipients(context.target.backup.encrypt_to)
    stands = Vault.of(context.target).add_proof(drill.backup, proof, to)
    result = {
        "backup": proof.backup, "verdict": overall(evidence.verdict for evidence in checks), "tier": proof.tier,
        "standing": stands.verdict, "checks": list(proof.checks), "left_out": list(proof.left_out),
        "rto_seconds": proof.rto_seconds, "kept": [vars(s.fate) for s in drill.scratch.values() if s.fate.kept],
    }  # fmt: skip
    if result["verdict"] != "pass":
        raise _failed(proof, checks, result)
    return result


def rto(drill: Drill, budget: float) -> Evidence:
    """How long a restore takes, held against its budget. It says nothing about what the backup holds."""
    seconds = round(drill.restoring, 3)
    told, wanted = f"a restore takes {seconds:.1f} s", f"at most {budget:.1f} s (backup.rto_budget_seconds)"
    return Evidence(RTO, "backup", drill.backup.name, "pass" if seconds <= budget else "fail", told, wanted)


def _failed(proof: Proof, checks: list[Evidence], result: dict[str, Any]) -> CheckFailed:
    bad = [evidence for evidence in checks if evidence.verdict != "pass"]
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    if proof.verdict == "pass":
        fact = f"a restore of {proof.backup} takes too long: {bad[0].observed}, and may take {bad[0].expected}"
        hint = "its content is as it should be, and it can be used; make the restore faster or raise the budget"
        return CheckFailed(fact, hint, result)
    hint = "run 02-backup for a new one and drill that; keep this one until then"
    return CheckFailed(f"backup {proof.backup} is not proven: {bad[0].id}: {bad[0].observed}{more}", hint, result)
