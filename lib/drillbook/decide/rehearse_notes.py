"""What a person must know of a copy before it is made: what it takes, what it is cut off from, where it is unlike."""

from __future__ import annotations

from collections.abc import Iterator

from drillbook.decide.rehearse_config import Config
from drillbook.decide.rehearse_planned import Planned, archived, real_name
from drillbook.decide.rehearse_room import mb
from drillbook.decide.rehearse_target import endpoints
from drillbook.observe.facts import Snapshot
from drillbook.target import Target

CLOSED = "cut off: what runs in the copy reaches neither the target, nor this host, nor the world"
OPEN = ("left open: the copy can reach what listens on this host's own addresses, for only root can close that;"
        " the target's containers and the world it cannot")  # fmt: skip
BUILD = "not cut off: the build fetches what the real build fetches"


def notes(target: Target, snapshot: Snapshot, config: Config, what: Planned) -> Iterator[str]:
    """Each thing in a line."""
    yield f"filled from proven backup {what.manifest.name}; changes nothing of {target.name}"
    yield _takes(what)
    yield CLOSED if what.making.closed else OPEN
    if what.scope == "images":
        yield BUILD
    full, data = archived(config, what), {d.service for d in snapshot.databases}
    stored = {m.name for c in snapshot.containers if c.service in data for m in c.mounts}
    for key in what.made.volumes:
        real = real_name(config, key)
        if key not in full and real not in stored:
            yield f"volume {real}: starts empty, no backup holds it"
    yield from (f"service {name}: not in the copy, {why}" for name, why in what.made.left_out.items())
    yield from (f"{name}: {why}" for name, why in what.made.unlike.items())
    addresses = dict.fromkeys(config["services"], "address")
    yield from (f"endpoint {name}: not asked, {why}" for name, why in endpoints(target, config, addresses)[1].items())


def _takes(what: Planned) -> str:
    used = what.footprint
    memory = mb(used.memory) if used.memory is not None else "an unknown amount"
    free = f" (of {mb(used.memory_free)} free)" if used.memory_free is not None else ""
    return f"takes {memory} of memory{free} and about {mb(what.needed)} of disk, until it ends"
