"""Plan a drill: restore a backup into a scratch server and hold it against its manifest."""

from __future__ import annotations

from collections.abc import Iterator

from drillbook.decide.ladder import Asked, left_out
from drillbook.decide.plan import Plan, Step
from drillbook.target import Smoke
from drillbook.vault.manifest import Manifest

HOURS = 3600


def plan_drill(
    target: str, identity: str, manifest: Manifest, manifest_sha256: str, asked: Asked | None = None
) -> Plan:
    """The steps of a drill of this backup, cheap ones first. They touch no live server and destroy nothing."""
    asked = asked or Asked()
    basis = {"backup": manifest.name, "manifest_sha256": manifest_sha256, "tier": asked.tier}
    without = left_out(asked, manifest)
    notes = [f"tier {asked.tier}: {TOLD[asked.tier]}", *(f"left out: {one['id']}: {one['why']}" for one in without)]
    if asked.keep_on_failure:
        notes.append("a scratch server on which a check failed stays, for a day at most")
    steps = (
        Step("sweep", "drill.sweep", target),
        Step("checksums", "drill.checksums", manifest.name, args={"backup": manifest.name}, timeout_seconds=HOURS),
        Step("manifest", "drill.manifest", manifest.name),
        *(_restoring(manifest, asked) if asked.restores else _reading(manifest)),
        *(
            Step(f"volume-{v.key}", "drill.volume", name, args={"start": asked.restores}, timeout_seconds=HOURS)
            for name, v in manifest.volumes.items()
        ),
        Step("proof", "drill.proof", manifest.name, args={
            "tier": asked.tier, "keep_on_failure": asked.keep_on_failure,
            "rto_budget_seconds": asked.rto_budget_seconds,
        }),
    )  # fmt: skip
    return Plan("drill", target, identity, basis, steps, tuple(notes))


TOLD = {
    "fast": "files are read, nothing is restored; it proves nothing, but finds a damaged file",
    "sample": "everything is restored, some tables are digested; it proves nothing, but finds most of what is wrong",
    "full": "every check; when all pass, the backup is proven",
}


def _reading(manifest: Manifest) -> Iterator[Step]:
    for key, entry in manifest.databases.items():
        yield Step(
            f"archive-{key}", "drill.archive", entry.content.database, args={"key": key}, timeout_seconds=6 * HOURS
        )


def _restoring(manifest: Manifest, asked: Asked) -> Iterator[Step]:
    for key in manifest.servers:
        yield Step(f"scratch-{key}", "drill.scratch", key, args={"key": key})
    for key in manifest.servers:
        yield Step(f"roles-{key}", "drill.roles", key, args={"key": key})
    names = {key: entry.content.database for key, entry in manifest.databases.items()}
    for key, name in names.items():
        args = {"key": key, "jobs": asked.jobs}
        yield Step(f"restore-{key}", "drill.restore", name, args=args, timeout_seconds=6 * HOURS)
    for key, name in names.items():
        args = {"key": key, "sample": asked.tier == "sample"}
        yield Step(f"compare-{key}", "drill.compare", name, args=args, timeout_seconds=HOURS)
    yield from _asserted(names, asked)
    if asked.tier != "full":
        return
    for key, name in names.items():
        args = {"key": key, "jobs": asked.jobs}
        yield Step(f"amcheck-{key}", "drill.amcheck", name, args=args, timeout_seconds=6 * HOURS)
    for named, smoke in asked.own.smoke.items():
        yield _smoke(named, smoke, names)


def _asserted(names: dict[str, str], asked: Asked) -> Iterator[Step]:
    for a in asked.own.assertions:
        args = {"name": a.name, "key": a.database, "timeout_seconds": a.timeout_seconds}
        yield Step(
            f"assert-{a.name}", "drill.assertion", names.get(a.database, a.database), sql=a.sql, args=args,
            timeout_seconds=int(a.timeout_seconds) + 60,
        )  # fmt: skip


def _smoke(name: str, smoke: Smoke, names: dict[str, str]) -> Step:
    subject = smoke.service or smoke.command[0]
    asked = {"path": smoke.path, "port": smoke.port, "status": smoke.status} if smoke.service else {}
    args = {"name": name, "key": smoke.database, "database": names.get(smoke.database, ""), **asked}
    seconds = int(smoke.timeout_seconds) + 300
    return Step(f"smoke-{name}", "drill.smoke", subject, argv=smoke.command, args=args, timeout_seconds=seconds)
