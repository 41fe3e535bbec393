"""The reset's plan: build first from clean sources, prove, replace one by one, keep what was replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drillbook.decide.content import source_digest
from drillbook.decide.diagnose import CODE_CAUSES, Diagnosis, diagnose
from drillbook.decide.next_step import CONTAINER_CAUSES
from drillbook.decide.plan import Plan, Step
from drillbook.errors import NotProven, NotThisIncident, RunbookError
from drillbook.observe.facts import BackupFact, Snapshot, SourceFact
from drillbook.target import Stack, Target
from drillbook.vault.backup import SKEW_SECONDS

BUILD_TIMEOUT_SECONDS = 1800


@dataclass(frozen=True)
class Commands:
    """What compose commands start with, in the deployed folder and in the staged context, and where that is."""

    compose: tuple[str, ...]
    staged: tuple[str, ...]
    staging: str


def scope_of(scope: str, diagnosis: Diagnosis) -> str:
    """What *scope* means here: `auto` is what the diagnosis calls for, never more.

    Raises:
        NotThisIncident: `auto`, and nothing that a reset resolves was found.
    """
    if scope != "auto":
        return scope
    found = diagnosis.names() & CODE_CAUSES
    if not found:
        where = f"next: {diagnosis.next.runbook or 'nothing'} ({diagnosis.next.why})"
        raise NotThisIncident(f"no stale code was found on {diagnosis.target}", where, diagnosis.as_json())
    return "containers" if found <= CONTAINER_CAUSES else "images"


def fresh_proof(snapshot: Snapshot, max_age_hours: float) -> BackupFact:
    """The newest proven backup of this target, when it is fresh and holds what the databases hold.

    Raises:
        NotProven: there is none, it is too old, or a database has filled tables that it lacks.
    """
    name = f"--target {snapshot.target}"
    hint = f"drillbook run backup {name}, then drillbook run drill {name}; the reset starts from there"
    proven = [b for b in snapshot.backups if b.proven and b.identity == snapshot.identity]
    if not proven:
        raise NotProven(f"{snapshot.target} has no proven backup; {len(snapshot.backups)} unproven", hint)
    newest = proven[-1]
    if newest.age_seconds < -SKEW_SECONDS:
        told = f"the newest proven backup, {newest.name}, is dated in the future: a clock was wrong, then or now"
        raise NotProven(told, f"set this machine's clock right; then {hint}")
    if newest.age_seconds > max_age_hours * 3600:
        raise NotProven(
            f"the newest proven backup is {newest.age_seconds / 3600:.1f} h old, over {max_age_hours:g} h", hint
        )
    for fact in snapshot.databases:
        if not fact.reachable:
            raise NotProven(f"database {fact.key} cannot be held against {newest.name}: {fact.error}", hint)
        lacking = [t for t, rows in fact.rows.items() if rows and not newest.rows.get(f"{fact.key}/{t}")]
        if lacking:
            raise NotProven(f"{newest.name} lacks rows of {lacking[0]}, which has {fact.rows[lacking[0]]} now", hint)
    return newest


def plan_reset(target: Target, snapshot: Snapshot, scope: str, backup: BackupFact, commands: Commands) -> Plan:
    """The plan for *scope*.

    Changes nothing. The same facts give the same plan.

    Raises:
        RunbookError: the scope makes no sense for this target.
    """
    if scope == "database":
        steps = _database(snapshot, backup)
    elif target.stack is None:
        raise RunbookError(f"target {target.name} has no stack, so no {scope} to reset", "choose scope=database")
    else:
        steps = _stack(target.stack, snapshot, scope, commands)
    if not steps:
        raise NotThisIncident(f"there is nothing in scope {scope} to reset", "choose another scope, or diagnose again")
    notes = (f"rests on proven backup {backup.name}", "no volume is removed; replaced images stay, tagged for rollback")
    return Plan("reset", target.name, target.identity, _basis(snapshot, scope, backup), tuple(steps), notes)


def _basis(snapshot: Snapshot, scope: str, backup: BackupFact) -> dict[str, Any]:
    return {
        "scope": scope,
        "backup": backup.name,
        "containers": {c.name: [c.id, c.image_id] for c in snapshot.containers},
        "volumes": [v.name for v in snapshot.volumes],
        "sources": {name: source_digest(source.tracked) for name, source in snapshot.sources.items()},
        "artifacts": {name: source_digest(source.artifacts) for name, source in snapshot.sources.items()},
        "databases": {d.key: [d.dbname, d.oid, len(d.rows)] for d in snapshot.databases},
    }


def _stack(stack: Stack, snapshot: Snapshot, scope: str, commands: Commands) -> list[Step]:
    built = [s for s in snapshot.services if s.context and s.name in snapshot.sources]
    names = [s.name for s in built]
    if not names:
        return []
    code = {name: service.code for name, service in stack.services.items() if service.code}
    beside = {code[n].placed(a) for n in names for a in snapshot.sources[n].artifacts_in_context}
    aside = [_aside(path) for path in sorted(beside)]
    if scope == "artifacts":
        return aside
    images: list[Step] = []
    if scope == "images":
        derived = sorted({c.placed(a) for c in code.values() for a in c.artifacts})
        images = [*_keep(snapshot, names), *_build(snapshot, names, derived, commands), *aside]
    return [
        *images,
        *(_replace(name, commands.compose) for name in (*names, *_beside_code(snapshot, names))),
        _volumes(snapshot),
        _answers(snapshot, scope),
    ]


def _beside_code(snapshot: Snapshot, names: list[str]) -> list[str]:
    """Services without code of their own whose container is what is stale: a proxy that caches, an old configuration.

    One that holds a volume is left alone: a reset does not restart data.
    """
    services = {c.name: c.service for c in snapshot.containers if not any(m.kind == "volume" for m in c.mounts)}
    stale = [c for c in diagnose(snapshot).causes if c.id in CONTAINER_CAUSES]
    found = {services[e.subject] for cause in stale for e in cause.evidence if e.subject in services}
    if any(cause.id == "stale-proxy" for cause in stale):
        found |= {c.service for c in snapshot.containers if c.ports and c.name in services}
    return sorted(found - set(names))


def _aside(path: str) -> Step:
    return Step(
        f"aside-{path}", "artifact.set_aside", path, args={"path": path},
        destroys=(f"host artifact {path} (moved into the run's folder)",),
        recovers="move it back from aside/ in the run's folder",
    )  # fmt: skip


def _keep(snapshot: Snapshot, names: list[str]) -> list[Step]:
    steps = []
    for container in snapshot.containers:
        if container.service in names:
            tag = f"{container.image_ref.partition(':')[0]}:drillbook-kept-{container.image_id[7:19]}"
            argv = ("docker", "tag", container.image_id, tag)
            steps.append(Step(f"keep-{container.name}", "command", tag, argv, timeout_seconds=60))
    return steps


def _build(snapshot: Snapshot, names: list[str], derived: list[str], commands: Commands) -> list[Step]:
    source = snapshot.deployed
    outside = [s.context for s in snapshot.services if s.name in names and not _inside(s.context, source)]
    if source is None or outside:
        where = outside[0] if outside else "the deployed folder"
        raise RunbookError(f"{where} cannot be staged: it is not inside the target's folder", "mend stack.directory")
    digest = source_digest(source.tracked)
    build_id = ("--build-arg", f"BUILD_ID={digest[:12]}")
    argv = (*commands.staged, "build", "--no-cache", *build_id, *names)
    args = {"from": source.directory, "to": commands.staging, "digest": digest, "without": derived}
    stage = Step("stage-context", "context.stage", f"{len(source.tracked)} tracked files", args=args)
    build = Step("build-images", "image.build", ", ".join(names), argv, timeout_seconds=BUILD_TIMEOUT_SECONDS)
    proofs = [Step(f"prove-{name}", "image.prove", name, args={"service": name}) for name in names]
    return [stage, build, *proofs]


def _inside(context: str, source: SourceFact | None) -> bool:
    return source is not None and f"{context}/".startswith(f"{source.directory}/")


def _replace(name: str, compose: tuple[str, ...]) -> Step:
    argv = (*compose, "up", "-d", "--no-build", "--no-deps", "--force-recreate", name)
    return Step(
        f"replace-{name}", "service.replace", name, argv, args={"service": name},
        destroys=(f"container of {name} (recreated; its volumes stay)",),
        recovers="docker tag the kept image back to its name, then docker compose up -d --no-build",
    )  # fmt: skip


def _volumes(snapshot: Snapshot) -> Step:
    names = [v.name for v in snapshot.volumes]
    return Step("hold-volumes", "volumes.hold", f"{len(names)} volumes", args={"names": names})


def _answers(snapshot: Snapshot, scope: str) -> Step:
    build_id = source_digest(snapshot.deployed.tracked)[:12] if scope == "images" and snapshot.deployed else ""
    return Step("ask-endpoints", "endpoints.answer", "every endpoint", args={"build_id": build_id, "times": 10})


def _database(snapshot: Snapshot, backup: BackupFact) -> list[Step]:
    steps = []
    for fact in snapshot.databases:
        aside = f"{fact.dbname}_aside_{backup.name[-6:]}"
        steps.append(
            Step(
                f"aside-{fact.key}",
                "database.set_aside",
                fact.dbname,
                args={"key": fact.key, "aside": aside},
                destroys=(f"database {fact.dbname} (renamed to {aside}, an empty one takes its place)",),
                recovers=f"ALTER DATABASE {aside} RENAME TO {fact.dbname}, or restore {backup.name}",
            )
        )
    return steps
