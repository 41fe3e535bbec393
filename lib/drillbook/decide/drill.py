"""Plan a drill: restore a backup into a scratch server and hold it against its manifest."""

from __future__ import annotations

from drillbook.decide.plan import Plan, Step
from drillbook.vault.manifest import Manifest

HOURS = 3600


def plan_drill(target: str, identity: str, manifest: Manifest, manifest_sha256: str, jobs: int = 2) -> Plan:
    """The steps of a drill of this backup. They touch no live server and destroy nothing."""
    basis = {"backup": manifest.name, "manifest_sha256": manifest_sha256}
    restores = [
        Step(f"restore-{key}", "drill.restore", entry.content.database, args={"key": key, "jobs": jobs},
             timeout_seconds=6 * HOURS)
        for key, entry in manifest.databases.items()
    ]  # fmt: skip
    compares = [
        Step(f"compare-{key}", "drill.compare", entry.content.database, args={"key": key}, timeout_seconds=HOURS)
        for key, entry in manifest.databases.items()
    ]
    steps = (
        Step("checksums", "drill.checksums", manifest.name, args={"backup": manifest.name}, timeout_seconds=HOURS),
        *(Step(f"scratch-{key}", "drill.scratch", key, args={"key": key}) for key in manifest.servers),
        *(Step(f"roles-{key}", "drill.roles", key, args={"key": key}) for key in manifest.servers),
        *restores,
        *compares,
        *(Step(f"volume-{v.key}", "drill.volume", name, timeout_seconds=HOURS) for name, v in manifest.volumes.items()),
        Step("proof", "drill.proof", manifest.name),
    )
    return Plan("drill", target, identity, basis, steps)
