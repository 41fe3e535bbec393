"""The compose file of the copy: the target's as compose renders it, with nothing in it that is the target's own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from drillbook.decide.rehearse_making import Making
from drillbook.decide.rehearse_mounts import mounts, scratch
from drillbook.decide.rehearse_service import beyond, is_fixed, left_behind, pinned, service
from drillbook.observe.compose import image_name

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Copied:
    """The copy's compose file, and what is not in it as it is on the target.

    `images`: service → the copy's own name of its image; `addresses`: service → its fixed address, of those
    that have one; `networks`, `volumes`: key → the copy's own name; `scratch`: the copy's own place → the
    host's path that it stands for. `left_out`: service → why; `unlike`: host's path or service → what is else.
    """

    config: dict[str, Any]
    images: dict[str, str]
    addresses: dict[str, str]
    networks: dict[str, str]
    volumes: dict[str, str]
    scratch: dict[str, str]
    left_out: dict[str, str]
    unlike: dict[str, str]


def copied(config: Config, making: Making) -> Copied:
    """*config* as compose renders it, rewritten for the copy. Changes nothing.

    Every service is in it that can be cut off from the host; no name, port, volume, network, label or tag of the
    target's is.
    """
    config = deepcopy(dict(config))
    left_out = {name: why for name, body in config["services"].items() if (why := beyond(body))}
    bodies = {name: body for name, body in sorted(config["services"].items()) if name not in left_out}
    images = _images(config, bodies, making.project)
    services = {name: service(_without(body, left_out), images[name], making) for name, body in bodies.items()}
    addresses = _pin(services, [name for name, body in bodies.items() if is_fixed(body)], making)
    used = {net for body in services.values() for net in body.get("networks") or ()}
    networks = {key: f"{making.project}_{key}" for key in sorted(used)}
    keys = {m["source"] for body in bodies.values() for m in body.get("volumes") or () if _is_named(m)}
    volumes = {key: f"{making.project}_{key}" for key in sorted(keys)}
    body = {
        "name": making.project, "services": services,
        "networks": {key: {"external": True, "name": name} for key, name in networks.items()},
        "volumes": {key: {"name": name, "labels": dict(making.labels)} for key, name in volumes.items()},
        **{kind: _unnamed(config[kind]) for kind in ("secrets", "configs") if config.get(kind)},
    }  # fmt: skip
    return Copied(
        body, images, addresses, networks, volumes, scratch(bodies, making), left_out, _unlike(bodies, making)
    )


def _is_named(mount: Mapping[str, Any]) -> bool:
    return bool(mount["type"] == "volume" and mount.get("source"))


def _images(config: Config, bodies: Config, project: str) -> dict[str, str]:
    """service → its image's own name in the copy; services that share an image go on to share it."""
    own: dict[str, str] = {}
    for name, body in bodies.items():
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "service"
        wanted = f"{project}-{slug}"
        free = wanted if wanted not in own.values() else f"{wanted}-{len(own)}"
        own.setdefault(image_name(config, name, body), free)
    return {name: own[image_name(config, name, body)] for name, body in bodies.items()}


def _without(body: Mapping[str, Any], left_out: Mapping[str, str]) -> dict[str, Any]:
    """*body* that depends on nothing which is left out."""
    depends = {name: told for name, told in (body.get("depends_on") or {}).items() if name not in left_out}
    links = [link for link in body.get("links") or () if link.partition(":")[0] not in left_out]
    return {**body, "depends_on": depends, "links": links}


def _pin(services: Mapping[str, dict[str, Any]], names: Sequence[str], making: Making) -> dict[str, str]:
    """Give each service of *names* a fixed address in its first network, so that it can be asked there always."""
    found: dict[str, str] = {}
    for name in names:
        places = services[name].get("networks") or {}
        network = next(iter(places), "")
        if network in making.subnets:
            found[name] = places[network]["ipv4_address"] = pinned(making.subnets[network], len(found))
    return found


def _unnamed(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: {k: v for k, v in (body or {}).items() if k != "name"} for key, body in told.items()}


def _unlike(bodies: Config, making: Making) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, body in bodies.items():
        found |= mounts(body, making)[1]
        if behind := left_behind(body):
            found[name] = f"without {', '.join(behind)}"
    return found
