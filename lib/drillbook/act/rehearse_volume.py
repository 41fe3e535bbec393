"""The copy's volumes: its own, empty, or filled with what the backup holds before anything mounts them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from drillbook.act.archive import stored
from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded
from drillbook.act.rehearsal import under_way
from drillbook.act.restore import chosen, files
from drillbook.act.volume_content import listing
from drillbook.decide.plan import Step
from drillbook.errors import StepFailed
from drillbook.observe import engine
from drillbook.observe.volumes import PLACE, window

COMPOSE = "com.docker.compose"


@verb("rehearse.volumes")
@guarded
def volumes(step: Step, context: Context) -> Mapping[str, Any]:
    """An empty volume for each of the target's, marked as compose marks its own."""
    rehearsal = under_way(context)
    api, making = engine.client(rehearsal.target).api, rehearsal.making
    for key, name in rehearsal.made.volumes.items():
        own = {f"{COMPOSE}.project": making.project, f"{COMPOSE}.volume": key}
        api.create_volume(name, labels={**making.labels, **own})
    return {"volumes": list(rehearsal.made.volumes.values())}


@verb("rehearse.volume")
@guarded
def fill(step: Step, context: Context) -> Mapping[str, Any]:
    """One of them filled from the backup's archive, and read back.

    Raises:
        StepFailed: it does not hold what the archive holds.
    """
    rehearsal, began = under_way(context), time.monotonic()
    entry, client = chosen(context).whole().volumes[str(step.args["archive"])], engine.client(rehearsal.target)
    image = str(step.args["image"])
    with window(client, image, step.subject, "rw", context.folder.name) as container:
        client.api.put_archive(container, PLACE, stored(files(context) / entry.file))
    now = listing(context, image, step.subject).tree
    if now.digest != entry.tree:
        raise StepFailed(f"volume {step.subject} of the copy does not hold what its archive holds", "drill the backup")
    rehearsal.seconds[step.id] = time.monotonic() - began
    return {"members": now.members, "bytes": now.bytes}
