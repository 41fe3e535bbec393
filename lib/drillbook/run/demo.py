"""The incident, played and resolved on the sandbox; it ends with one table and one page."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from drillbook.act.journal import now
from drillbook.run.epilogue import Held, end
from drillbook.run.play import Play
from drillbook.target import Target, load_target

REBUILDS = 3


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
    stage.runbook("diagnose: why does no rebuild help?", "diagnose")
    kept = _reset(stage)
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
    stage.runbook("reset, tried at once: refused without a proven backup", "reset", expect=3, scope=scope)
    kept: str = stage.runbook("backup: everything that holds data", "backup")["result"]["backup"]
    stage.runbook("drill: is the backup restorable?", "drill")
    planned = stage.runbook("reset, planned: refused without an approval", "reset", expect=3, scope=scope)
    stage.runbook("reset, approved by fingerprint", "reset", approval=_fingerprint(planned), scope=scope)
    return kept


def _recover(stage: Play, backup: str) -> None:
    stage.runbook("diagnose: the table does not exist", "diagnose")
    planned = stage.runbook("restore, planned: refused without an approval", "restore", expect=3)
    stage.runbook("restore, approved by fingerprint", "restore", approval=_fingerprint(planned))
    stage.runbook("verify: everything again, digests against the backup", "verify", against=backup)
    told = json.dumps(stage.runs)
    stage.runbook("postmortem: one page for the morning", "postmortem", title="played by drillbook demo", runs=told)


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
