"""The incident, played and resolved on the sandbox; it ends with one table and one page."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

from drillbook.act.journal import now
from drillbook.errors import RunbookError
from drillbook.observe.endpoint import ask
from drillbook.run.epilogue import Held, end
from drillbook.run.ideal import BACKUP, DETECTION, HEALTH, MONITORING, RECOGNITION, RESET
from drillbook.run.play import Play
from drillbook.target import Target, load_target

REBUILDS = 3
ALERT_SECONDS = 300
WATCHED = 20


def play(engine: str) -> int:
    """Play the incident on *engine* (`docker` or `embedded`); 0 when nothing was lost, 1 when something was."""
    return play_docker(load_target("connect")) if engine == "docker" else _play_embedded()


def play_docker(target: Target, port: int = 8080) -> int:
    """The whole incident on the sandbox that *target* describes; 0 when nothing was lost."""
    from drillbook.act import breakage, sandbox

    stage, project = Play(target), target.name
    _clear_the_vault(stage)
    stage.scene("sandbox up: the healthy site", lambda _: _said(sandbox.up(project, port)))
    before = held(stage.target)
    stage.scene(
        "the incident: corrected sources deployed beside an old .next",
        lambda _: _said(breakage.break_stack("stale-artifact", project)),
    )
    for number in range(1, REBUILDS + 1):
        stage.scene(f"rebuild {number} with --no-cache, as on that night", lambda _: _said(breakage.rebuild(project)))
    stage.scene("the alert: what monitoring sees", lambda _: _alert(stage.target), DETECTION)
    stage.runbook("diagnose: why does no rebuild help?", "diagnose", phase=RECOGNITION)
    kept = _reset(stage)
    stage.runbook("verify: everything again, digests against the backup", "verify", phase=HEALTH, against=kept)
    stage.scene("monitoring: what users get now", lambda _: _watched(stage.target), MONITORING)
    stage.scene(
        "the second blow: what `down -v` deletes is gone",
        lambda _: _said(breakage.break_stack("lost-schema", project)),
    )
    _recover(stage, kept)
    return end(stage, before, held(stage.target))


def _play_embedded() -> int:
    from drillbook.act import embedded

    stage = Play(load_target("embedded"))
    stage.told(
        "No container engine: the code half of the incident (stale images, rebuilds, replaced containers) is not shown."
    )
    _clear_the_vault(stage)
    stage.scene("sandbox up: a PostgreSQL server of its own", lambda _: _said(embedded.up_embedded()))
    before = held(stage.target)
    kept = _reset(stage, scope="database")
    stage.scene("the second blow: the schema is gone", lambda _: _said(embedded.break_embedded("lost-schema")))
    _recover(stage, kept)
    return end(stage, before, held(stage.target))


def _reset(stage: Play, scope: str = "auto") -> str:
    """The reset, refused until it is safe and approved; the name of the backup that it rests on."""
    proof, act = BACKUP, RESET
    stage.runbook("reset, tried at once: refused without a proven backup", "reset", expect=3, phase=proof, scope=scope)
    kept: str = stage.runbook("backup: everything that holds data", "backup", phase=proof)["result"]["backup"]
    stage.runbook("drill: is the backup restorable?", "drill", phase=proof)
    planned = stage.runbook("reset, planned: refused without an approval", "reset", expect=3, phase=act, scope=scope)
    stage.runbook("reset, approved by fingerprint", "reset", phase=act, approval=_fingerprint(planned), scope=scope)
    return kept


def _recover(stage: Play, backup: str) -> None:
    stage.runbook("diagnose: the table does not exist", "diagnose")
    planned = stage.runbook("restore, planned: refused without an approval", "restore", expect=3)
    stage.runbook("restore, approved by fingerprint", "restore", approval=_fingerprint(planned))
    stage.runbook("verify: everything again, digests against the backup", "verify", against=backup)
    told = json.dumps(stage.runs)
    stage.runbook("postmortem: one page for the morning", "postmortem", title="played by drillbook demo", runs=told)


def _alert(target: Target) -> str:
    """Ask every endpoint until one fails, as monitoring does; which, and how.

    Raises:
        RunbookError: none failed within the time that the report gives the alert.
    """
    until = time.monotonic() + ALERT_SECONDS
    while time.monotonic() < until:
        for key, declared in target.endpoints.items():
            fact = ask(key, declared, declared.url)
            if fact.status != fact.expected_status:
                return f"{key} answers {fact.status}: {' '.join((fact.error or fact.body).split())[:90]}"
        time.sleep(0.2)
    raise RunbookError(f"no endpoint failed within {ALERT_SECONDS} s", "is the incident there? drillbook sandbox up")


def _watched(target: Target) -> str:
    """Ask every endpoint again and again; how often, which build answers, and how slow the slowest was.

    Raises:
        RunbookError: one does not answer as it must.
    """
    facts = [ask(k, e, e.url) for _ in range(WATCHED) for k, e in target.endpoints.items()]
    bad = [fact for fact in facts if fact.status != fact.expected_status]
    if bad:
        raise RunbookError(f"{bad[0].url} answers {bad[0].status} after the reset", "diagnose: 01-diagnose")
    builds = sorted({fact.build_id for fact in facts if fact.build_id})
    worst = max(fact.seconds for fact in facts)
    return f"{len(facts)} of {len(facts)} requests well, build {', '.join(builds)}, the slowest {worst:.2f} s"


def _fingerprint(planned: dict[str, Any]) -> str:
    return str(planned["result"]["plan"]["fingerprint"])


def _clear_the_vault(stage: Play) -> None:
    """Set earlier demos' backups aside: on that night the backup folder was empty."""
    vault = stage.target.vault
    if vault is not None and vault.exists() and any(vault.iterdir()):
        aside = vault.with_name(f".{vault.name}-before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
        vault.rename(aside)
        stage.told(f"{now()}  earlier backups of {stage.target.name} are set aside in {aside}")


def _said(told: dict[str, Any]) -> str:
    """What a scene on the sandbox came to."""
    if "status" not in told:
        return "done"
    error = " ".join(str(told.get("error") or "").split())
    return f"/api/matches/generate answers {told['status']}{f': {error}' if error else ''}"


def held(target: Target) -> Held:
    """What must be the same in the end: name → rows or keys, and digest, of each table and lasting redis volume."""
    from drillbook.observe import redis
    from drillbook.observe.database import contents

    found = {t.name: (str(t.rows), str(t.sum64)) for db in contents(target).values() for t in db.tables}
    if target.stack is None:
        return found
    caches = tuple(f"_{key}" for key, volume in target.volumes.items() if volume.volatile)
    seen = {name: told for name, told in redis.digests(target).items() if not name.endswith(caches)}
    return found | {f"volume {name}": (str(keys), digest[:16]) for name, (keys, digest) in seen.items()}
