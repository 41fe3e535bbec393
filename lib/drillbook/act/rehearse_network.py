"""The copy's networks: its own, without a way out, and one container that only holds a place in all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded
from drillbook.act.netns import Net
from drillbook.act.rehearsal import Rehearsal, under_way
from drillbook.decide.plan import Step
from drillbook.errors import StepFailed
from drillbook.observe import engine

TRIES = 3
NO_ADDRESS = {"com.docker.network.bridge.inhibit_ipv4": "true"}
"""The host gets no address on the bridge: what has none cannot be reached, whatever listens on the host."""


@verb("rehearse.networks")
@guarded
def networks(step: Step, context: Context) -> Mapping[str, Any]:
    """A network for each of the target's, that leads nowhere; from here on this run can step into them."""
    rehearsal = under_way(context)
    api, making = engine.client(rehearsal.target).api, rehearsal.making
    subnets = {key: _network(api, name, making.closed, making.labels) for key, name in rehearsal.made.networks.items()}
    rehearsal.making = replace(making, subnets=subnets)
    rehearsal.write()
    rehearsal.holder = _held(api, rehearsal, str(step.args["image"]))
    if making.closed:
        pid = api.inspect_container(rehearsal.holder)["State"]["Pid"]
        rehearsal.net = Net(pid, rehearsal.holder)
    return {"networks": subnets, "closed": making.closed}


def _network(api: Any, name: str, closed: bool, labels: Mapping[str, str]) -> str:
    """An internal network *name*, made twice: first to learn which addresses are free, then with them as its own.

    Only where they are its own may a service have a fixed one.

    Raises:
        StepFailed: the engine has no addresses left for one.
    """
    import docker

    last = ""
    for _ in range(TRIES):
        try:
            made = api.create_network(name, internal=True, labels=dict(labels))["Id"]
            subnet = str(api.inspect_network(made)["IPAM"]["Config"][0]["Subnet"])
            api.remove_network(made)
            pool = docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet=subnet)])
            options = NO_ADDRESS if closed else {}
            api.create_network(name, "bridge", internal=True, labels=dict(labels), ipam=pool, options=options)
        except docker.errors.APIError as error:  # somebody else took the addresses in between
            last = str(error.explanation)
        else:
            return subnet
    raise StepFailed(f"network {name} could not be made: {last}", "docker network ls; remove what nobody needs")


def _held(api: Any, rehearsal: Rehearsal, image: str) -> str:
    """A container in all of the copy's networks that does nothing; its id."""
    making, names = rehearsal.making, list(rehearsal.made.networks.values())
    host = api.create_host_config(network_mode=names[0] if names else "none", init=True, oom_score_adj=800)
    made = str(
        api.create_container(
            image, command=["infinity"], entrypoint=["sleep"], name=f"{making.project}-holder", host_config=host,
            labels=dict(making.labels), healthcheck={"test": ["NONE"]},
        )["Id"]
    )  # fmt: skip
    for name in names[1:]:
        api.connect_container_to_network(made, name)
    api.start(made)
    return made
