"""The incident, played and resolved on the sandbox; it ends with one table and one page."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drillbook import home
from drillbook.act.journal import now
from drillbook.errors import RunbookError
from drillbook.observe.probe import Probe
from drillbook.run.record import Record
from drillbook.show import page
from drillbook.show.view import View, callout, table
from drillbook.target import Target, load_target

REBUILDS = 3


@dataclass
class Scene:
    """One step of the play: what it was, how long it took, what failed meanwhile, where its copy lies."""

    title: str
    seconds: float = 0.0
    outcome: str = ""
    asked: int = 0
    failed: int = 0
    copy: Path | None = None


@dataclass
class Play:
    """The demo so far."""

    target: Target
    scenes: list[Scene] = field(default_factory=list)
    told: Callable[[str], None] = print

    def scene(self, title: str, act: Callable[[Scene], str]) -> Scene:
        """Play one scene while the endpoints are asked, and say how it ended."""
        scene = Scene(title)
        self.told(f"[{len(self.scenes) + 1:2}] {title} …")
        started = time.monotonic()
        with Probe([(k, e) for k, e in self.target.endpoints.items() if k != "build"]) as probe:
            scene.outcome = act(scene)
        scene.seconds = time.monotonic() - started
        scene.asked, scene.failed = probe.asked, probe.failed
        self.scenes.append(scene)
        self.told(f"     {scene.outcome}  ({scene.seconds:.1f} s, {probe.failed} of {probe.asked} requests failed)")
        return scene

    def runbook(self, title: str, name: str, /, expect: int = 0, **given: str) -> dict[str, Any]:
        """Run a runbook unattended; its record.

        Raises:
            RunbookError: it ended with another exit code than *expect*.
        """
        from drillbook.run.runner import run_runbook

        kept: dict[str, Record] = {}

        def act(scene: Scene) -> str:
            kept["record"] = record = run_runbook(name, self.target.name, given=given)
            scene.copy = record.folder / "notebook.ipynb"
            return _outcome(record)

        self.scene(title, act)
        data: dict[str, Any] = kept["record"].data
        if data["exit_code"] != expect:
            error = data.get("error") or {}
            fact = f"the demo expected {name} to exit {expect}, but it exited {data['exit_code']}: {error.get('fact')}"
            raise RunbookError(fact, f"look at {kept['record'].folder}")
        return data


def _outcome(record: Record) -> str:
    data = record.data
    result = data.get("result") or {}
    causes = ", ".join(c["id"] for c in result.get("causes", []))
    detail = causes or result.get("verdict") or ""
    fact = (data.get("error") or {}).get("fact", "")
    said = fact or detail
    return f"{data['status']}{f': {said}' if said else ''} (exit {data['exit_code']})"


def play(engine: str) -> int:
    """Play the incident on *engine* (`docker` or `embedded`); 0 when nothing was lost, 1 when something was."""
    return _play_docker() if engine == "docker" else _play_embedded()


def _play_docker() -> int:
    from drillbook.act import breakage, sandbox

    target = load_target("connect")
    stage = Play(target)
    stage.scene("sandbox up: the healthy site", lambda _: f"healthy: {sandbox.up()['status']}")
    before = baseline(target)
    stage.scene(
        "the incident: corrected sources deployed beside an old .next",
        lambda _: _said(breakage.break_stack("stale-artifact", "connect")),
    )
    for number in range(1, REBUILDS + 1):
        stage.scene(f"rebuild {number} with --no-cache, as on that night", lambda _: _said(breakage.rebuild("connect")))
    stage.runbook("diagnose: why does no rebuild help?", "diagnose")
    stage.runbook("reset, tried at once: refused without a proven backup", "reset", expect=3)
    kept = stage.runbook("backup: databases, roles, both redis", "backup")["result"]["backup"]
    stage.runbook("drill: is the backup restorable?", "drill")
    plan = stage.runbook("reset, planned: refused without an approval", "reset", expect=3)["result"]["plan"]
    stage.runbook("reset, approved by fingerprint", "reset", approval=plan["fingerprint"])
    stage.scene(
        "the second blow: what `down -v` deletes is gone",
        lambda _: _said(breakage.break_stack("lost-schema", "connect")),
    )
    _recover(stage, kept)
    return _end(stage, before, baseline(target))


def _play_embedded() -> int:
    from drillbook.act import embedded

    target = load_target("embedded")
    stage = Play(target)
    stage.told(
        "No container engine: the code half of the incident (stale images, rebuilds, replaced containers) is not shown."
    )
    stage.scene("sandbox up: a PostgreSQL server of its own", lambda _: _said(embedded.up_embedded()))
    before = baseline(target)
    stage.runbook(
        "reset of the database, tried at once: refused without a proven backup", "reset", expect=3, scope="database"
    )
    kept = stage.runbook("backup: database and roles", "backup")["result"]["backup"]
    stage.runbook("drill: is the backup restorable?", "drill")
    planned = stage.runbook("reset, planned: refused without an approval", "reset", expect=3, scope="database")
    plan = planned["result"]["plan"]
    stage.runbook("reset, approved by fingerprint", "reset", scope="database", approval=plan["fingerprint"])
    stage.scene("the second blow: the schema is gone", lambda _: _said(embedded.break_embedded("lost-schema")))
    _recover(stage, kept)
    return _end(stage, before, baseline(target))


def _recover(stage: Play, backup: str) -> None:
    stage.runbook("diagnose: the table does not exist", "diagnose")
    plan = stage.runbook("restore, planned: refused without an approval", "restore", expect=3)["result"]["plan"]
    stage.runbook("restore, approved by fingerprint", "restore", approval=plan["fingerprint"])
    stage.runbook("verify: everything again, digests against the backup", "verify", against=backup)
    stage.runbook("postmortem: one page for the morning", "postmortem", title="played by drillbook demo")


def _said(value: Any) -> str:
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value or "done")


def baseline(target: Target) -> dict[str, tuple[str, str]]:
    """What must be the same in the end: name → rows or keys, and digest, of each table and redis volume."""
    from drillbook.observe import redis
    from drillbook.observe.database import contents

    held = {t.name: (str(t.rows), str(t.sum64)) for db in contents(target).values() for t in db.tables}
    if target.stack is not None:
        seen = redis.digests(target).items()
        held |= {
            f"volume {name}": (str(keys), digest[:16]) for name, (keys, digest) in seen if not _volatile(target, name)
        }
    return held


def _volatile(target: Target, volume: str) -> bool:
    """Whether the volume is a cache, which changes by itself."""
    return any(declared.volatile and volume.endswith(f"_{key}") for key, declared in target.volumes.items())


def _end(stage: Play, before: dict[str, tuple[str, str]], after: dict[str, tuple[str, str]]) -> int:
    scenes = [
        {"#": n, "step": s.title, "outcome": s.outcome, "seconds": f"{s.seconds:.1f}",
         "asked": s.asked, "failed": s.failed, "executed copy": _near(s.copy)}
        for n, s in enumerate(stage.scenes, 1)
    ]  # fmt: skip
    names = sorted({*before, *after})
    rows = [_row(name, before.get(name, ("–", "–")), after.get(name, ("–", "–"))) for name in names]
    lost = [row for row in rows if row["verdict"] != "pass"]
    kind = "fail" if lost else "pass"
    total = sum(s.seconds for s in stage.scenes)
    equal = f"nothing lost: {len(rows)} tables and volumes equal the baseline"
    words = f"{len(lost)} tables or volumes differ" if lost else equal
    views = [
        callout(kind, words, f"{total:.0f} s in all, {now()}"),
        table("What happened", scenes),
        table("Rows and digests, before and after", rows),
    ]
    folder = home.outputs() / stage.target.name
    file = page.write(folder / "demo.html", "drillbook: the incident, played and resolved", [*views, _copies(stage)])
    told = {"verdict": kind, "scenes": scenes, "content": rows}
    (folder / "demo.json").write_text(json.dumps(told, indent=1, default=str))
    stage.told("\n" + "\n\n".join(view.text for view in reversed(views)) + f"\n\nThe whole as a page: {file}")
    return 1 if lost else 0


def _row(name: str, before: tuple[str, str], after: tuple[str, str]) -> dict[str, object]:
    return {"what": name, "rows before": before[0], "rows after": after[0], "digest before": before[1],
            "digest after": after[1], "verdict": "pass" if before == after else "fail"}  # fmt: skip


def _near(copy: Path | None) -> str:
    return str(copy.relative_to(home.outputs())) if copy else ""


def _copies(stage: Play) -> View:
    """Every executed copy as an HTML page beside itself, linked."""
    links = []
    for scene in stage.scenes:
        if scene.copy and scene.copy.is_file():
            made = page.notebook_html(scene.copy)
            links.append(f'<li><a href="{made.parent.name}/{made.name}">{scene.title}</a></li>')
    return View(f"<h2>Executed copies</h2><ul>{''.join(links)}</ul>", "")
