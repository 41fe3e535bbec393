"""A play: scenes one after the other, the endpoints asked meanwhile, each runbook's copy kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drillbook import home
from drillbook.errors import RunbookError
from drillbook.observe.endpoint import ask
from drillbook.observe.probe import Probe
from drillbook.run.record import Record
from drillbook.run.runner import run_runbook
from drillbook.target import Target


@dataclass
class Scene:
    """One step of the play: what it was, how long it took, what failed meanwhile, where its copy lies.

    `phase` is the part of the report's ideal timeline that it plays, empty for none. Endpoints that
    failed when the scene began are counted in `unmended`, not in `failed`.
    """

    title: str
    phase: str = ""
    seconds: float = 0.0
    outcome: str = ""
    asked: int = 0
    failed: int = 0
    unmended: int = 0
    copy: Path | None = None


@dataclass
class Play:
    """The scenes so far, on one target."""

    target: Target
    scenes: list[Scene] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    told: Callable[[str], None] = print

    @property
    def named(self) -> str:
        """What a shell would call the target: its name, or the file that describes it."""
        return self.target.name if self.target.file.parent == home.targets() else str(self.target.file)

    def scene(self, title: str, act: Callable[[Scene], str], phase: str = "") -> Scene:
        """Play one scene while the endpoints are asked, and say how it ended."""
        scene = Scene(title, phase)
        self.told(f"[{len(self.scenes) + 1:2}] {title} …")
        started = time.monotonic()
        asked = [(k, e) for k, e in self.target.endpoints.items() if k != "build"]
        unwell = frozenset(k for k, e in asked if (fact := ask(k, e, e.url)).status != fact.expected_status)
        with Probe(asked, unwell=unwell) as probe:
            scene.outcome = act(scene)
        scene.seconds = time.monotonic() - started
        scene.asked, scene.failed, scene.unmended = probe.asked, probe.failed, probe.unmended
        self.scenes.append(scene)
        known = f", {probe.unmended} more of what was broken before" if probe.unmended else ""
        requests = f", {probe.failed} of {probe.asked} requests failed{known}" if probe.asked else ""
        self.told(f"     {scene.outcome}  ({scene.seconds:.1f} s{requests})")
        return scene

    def runbook(self, title: str, name: str, /, expect: int = 0, phase: str = "", **given: str) -> dict[str, Any]:
        """Run a runbook unattended; its record.

        Raises:
            RunbookError: it ended with another exit code than *expect*.
        """
        kept: dict[str, Record] = {}

        def act(scene: Scene) -> str:
            kept["record"] = record = run_runbook(name, self.named, given=given, quiet=True)
            scene.copy = record.folder / "notebook.ipynb"
            self.runs.append(record.run)
            return _outcome(record)

        self.scene(title, act, phase)
        record = kept["record"]
        if record.exit_code != expect:
            fact = (record.error or {}).get("fact")
            raise RunbookError(
                f"the demo expected {name} to exit {expect}, but it exited {record.exit_code}: {fact}",
                f"look at {record.folder}",
            )
        return record.data


def _outcome(record: Record) -> str:
    """How a run ended, in one line: its fact, or else its causes or verdict."""
    result = record.result or {}
    causes = ", ".join(cause["id"] for cause in result.get("causes", []))
    said = (record.error or {}).get("fact") or causes or result.get("verdict") or ""
    return f"{record.status}{f': {said}' if said else ''} (exit {record.exit_code})"
