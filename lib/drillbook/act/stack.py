"""What lies around a stack while it is reset: host artifacts set aside, volumes held."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import Any

from drillbook.act.executor import Context, verb
from drillbook.decide.plan import Step
from drillbook.errors import StepFailed
from drillbook.observe import engine


@verb("artifact.set_aside")
def set_aside(step: Step, context: Context) -> Mapping[str, Any]:
    """Move a host artifact into the run's folder; the way back to it is a move too."""
    origin = context.target.directory / step.args["path"]
    if not origin.exists():
        return {"was": "not there any more"}
    place = context.folder / "aside" / step.args["path"]
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = sum(len(names) for _, _, names in os.walk(origin))
    shutil.move(origin, place)
    return {"moved_to": str(place), "files": files}


@verb("volumes.hold")
def hold(step: Step, context: Context) -> Mapping[str, Any]:
    """Every volume that was there when the plan was made is there now.

    Raises:
        StepFailed: one is gone.
    """
    now = {v.name for v in engine.volumes(context.target)}
    lost = sorted(set(step.args["names"]) - now)
    if lost:
        raise StepFailed(
            f"volumes are gone that no step removes: {', '.join(lost)}", "stop; restore from the proven backup"
        )
    return {"volumes": sorted(now), "lost": []}
