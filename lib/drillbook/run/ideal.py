"""The report's ideal timeline, thirty minutes from alert to healthy, and what the play took for the same."""

from __future__ import annotations

from collections.abc import Sequence

from drillbook.run.play import Scene

DETECTION, RECOGNITION, BACKUP = "problem detection", "pattern recognition", "backup verification"
RESET, HEALTH, MONITORING = "reset", "health checks", "monitoring"
IDEAL = {DETECTION: (0, 5), RECOGNITION: (5, 10), BACKUP: (10, 15), RESET: (15, 20), HEALTH: (20, 25),
         MONITORING: (25, 30)}  # fmt: skip
"""phase -> from which minute to which, as the report of 2025-10-13 would have had it ("What Should Have Happened")."""


def timeline(scenes: Sequence[Scene]) -> list[dict[str, object]]:
    """A row for each phase of the report, its minutes beside our seconds, and the requests that failed meanwhile."""
    return [_row(phase, [scene for scene in scenes if scene.phase == phase]) for phase in IDEAL]


def _row(phase: str, played: Sequence[Scene]) -> dict[str, object]:
    first, last = IDEAL[phase]
    return {
        "phase": phase, "the report": f"minute {first}-{last}", "here": f"{seconds(played):.1f} s",
        "scenes": len(played), "requests": sum(s.asked for s in played), "failed": sum(s.failed for s in played),
    }  # fmt: skip


def seconds(scenes: Sequence[Scene]) -> float:
    """From alert to healthy: what the scenes of any phase took together."""
    return sum(scene.seconds for scene in scenes if scene.phase)


def failed(scenes: Sequence[Scene]) -> int:
    """Requests that failed while a phase was played, of endpoints that were well when their scene began."""
    return sum(scene.failed for scene in scenes if scene.phase)
