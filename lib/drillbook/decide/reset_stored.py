"""The plan of a reset of what is stored: kept aside under a dated name, nothing removed."""

from __future__ import annotations

from collections.abc import Collection

from drillbook.decide.plan import Plan, Step
from drillbook.decide.proof import Proof
from drillbook.decide.reset import Parts, assembled, basis
from drillbook.decide.reset_data import database_objects, database_steps, notes
from drillbook.decide.reset_volumes import volume_objects, volume_steps
from drillbook.decide.rollout import hold_volumes
from drillbook.decide.way_back import switch
from drillbook.observe.facts import Snapshot
from drillbook.target import Target


def plan_databases(target: Target, snapshot: Snapshot, proof: Proof, stamp: str) -> Plan:
    """Every database renamed to a dated name, an empty one in its place; *stamp* dates it and is part of the plan.

    Raises:
        NotThisIncident: the target has no database.
    """
    steps = database_steps(target, snapshot, proof, stamp)
    objects = database_objects(target, snapshot, proof, stamp)
    parts = Parts(steps, objects, basis={"stamp": stamp})
    told = notes(target, snapshot, proof, "database", stamp)
    return assembled(target, basis(snapshot, "database", proof.backup.name), parts, told)


def plan_volumes(target: Target, snapshot: Snapshot, proof: Proof, stamp: str, names: Collection[str]) -> Plan:
    """The volumes *names* copied to dated ones, proven equal, and emptied; then what was well before must be well.

    What was stopped may have another address when it runs again: the proxy learns of it.

    Raises:
        NotThisIncident: *names* is empty.
        Refused, NotObserved, RunbookError: as `volume_steps`.
    """
    steps = volume_steps(target, snapshot, proof, names, stamp)
    objects = volume_objects(target, snapshot, proof, names, stamp)
    held = hold_volumes([volume.name for volume in snapshot.volumes])
    well = Step("well-endpoints", "endpoints.hold", "what was well before", args={"service": ""})
    proxy = target.stack.proxy if target.stack else None
    learns = (switch("reload-proxy", proxy, or_stays=True),) if proxy and steps and steps[-1].args["starts"] else ()
    parts = Parts((*steps, *learns, well, held) if steps else (), objects, basis={"stamp": stamp})
    told = notes(target, snapshot, proof, "volumes", stamp, names)
    return assembled(target, basis(snapshot, "volumes", proof.backup.name), parts, told)
