"""The copy as a target of its own: everything that works on a target works on it unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from drillbook.decide.rehearse_config import Config, Copied
from drillbook.decide.rehearse_making import Making
from drillbook.target import Endpoint, Target

PORTS = {"http": 80, "https": 443}


def copy_target(target: Target, config: Config, made: Copied, making: Making, files: Mapping[str, str]) -> Target:
    """*target* with the copy's project, folder, file and addresses; its vault is a folder of its own, and empty.

    *files* names the copy's `compose` file, the `env` file that compose reads and the `vault`. Changes nothing.
    """
    stack = target.stack
    assert stack is not None
    services = {name: told for name, told in stack.services.items() if name not in made.left_out}
    own = stack.model_copy(update={
        "project": making.project, "directory": making.source, "files": (files["compose"],),
        "env_file": files["env"], "services": services,
        "proxy": stack.proxy if stack.proxy and stack.proxy.service not in made.left_out else None,
    })  # fmt: skip
    parts: dict[str, Any] = {
        "stack": own, "endpoints": endpoints(target, config, made.addresses)[0], "volumes": _volumes(target, config),
        "backup": target.backup.model_copy(update={"vault": files["vault"], "copies": ()}),
    }  # fmt: skip
    found = target.model_copy(update=parts)
    found._file = target.file
    return found


def endpoints(
    target: Target, config: Config, addresses: Mapping[str, str]
) -> tuple[dict[str, Endpoint], dict[str, str]]:
    """The target's endpoints as the copy is asked for them, and those that cannot be: endpoint → why.

    The service that publishes an endpoint's port is asked straight at its address; so no name of the URL's
    host reaches it, and none of its certificates is for it.
    """
    ports = _published(config)
    found, without = dict[str, Endpoint](), dict[str, str]()
    for key, endpoint in target.endpoints.items():
        url = urlsplit(endpoint.url)
        port = url.port or PORTS.get(url.scheme, 0)
        service, inside = ports.get(port, ("", 0))
        if url.scheme != "http":
            without[key] = f"{url.scheme} at an address has no certificate that fits"
        elif service not in addresses:
            without[key] = f"no service of the copy publishes port {port}"
        else:
            there = f"{addresses[service]}:{inside}"
            found[key] = endpoint.model_copy(update={"url": urlunsplit(url._replace(netloc=there))})
    return found, without


def _published(config: Config) -> dict[int, tuple[str, int]]:
    """The host's port → the service that publishes it, and its own port."""
    return {
        int(port["published"]): (name, int(port["target"]))
        for name, body in config["services"].items()
        for port in body.get("ports") or ()
        if str(port.get("published") or "").isdigit()
    }


def _volumes(target: Target, config: Config) -> dict[str, Any]:
    """What the target's file says of volumes, by their keys: their full names are others here."""
    keys = {(body or {}).get("name", key): key for key, body in (config.get("volumes") or {}).items()}
    return {keys.get(name, name): told for name, told in target.volumes.items()}
