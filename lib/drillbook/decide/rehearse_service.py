"""A service of the copy: everything that makes it what it is, and nothing by which it could reach out of the copy."""

from __future__ import annotations

import ipaddress
import posixpath
from collections.abc import Mapping
from typing import Any

from drillbook.decide.rehearse_making import Making
from drillbook.decide.rehearse_mounts import below, mounts
from drillbook.observe.compose import FIXED

KEPT = frozenset({
    "blkio_config", "cap_add", "cap_drop", "command", "configs", "cpu_count", "cpu_percent", "cpu_period", "cpu_quota",
    "cpu_rt_period", "cpu_rt_runtime", "cpus", "cpuset", "deploy", "domainname", "entrypoint", "environment", "expose",
    "extra_hosts", "group_add", "healthcheck", "hostname", "init", "isolation", "links", "mem_limit",
    "mem_reservation", "mem_swappiness", "memswap_limit", "pids_limit", "platform", "post_start", "pre_stop",
    "read_only", "scale", "secrets", "security_opt", "shm_size", "stdin_open", "stop_grace_period", "stop_signal",
    "storage_opt", "sysctls", "tmpfs", "tty", "ulimits", "user", "working_dir",
})  # fmt: skip
"""Keys that are taken over as they stand. What is not named here stays behind: a key that is new to us may lead out."""
MADE = frozenset({
    "build", "container_name", "depends_on", "dns", "dns_opt", "dns_search", "image", "labels", "logging",
    "network_mode", "networks", "ports", "profiles", "pull_policy", "restart", "volumes",
})  # fmt: skip
"""Keys that the copy has its own values for."""
BUILD = (
    "additional_contexts", "args", "cache_from", "context", "dockerfile", "dockerfile_inline", "extra_hosts",
    "isolation", "network", "no_cache", "platforms", "privileged", "pull", "secrets", "shm_size", "ssh", "target",
    "ulimits",
)  # fmt: skip
"""What a build is given; not its tags, which are the target's, no labels, and no cache that it would write to."""
MIGHTY = frozenset({"ALL", "SYS_MODULE", "SYS_RAWIO"})
"""Capabilities that reach the host from any container."""
OURSELVES = {
    "restart": "no", "pull_policy": "never", "oom_score_adj": 800, "cpu_shares": 256,
    "logging": {"driver": "json-file", "options": {"max-size": "20m"}},
    "dns": ["198.51.100.53"], "dns_opt": ["timeout:1", "attempts:1"],
}  # fmt: skip
"""Nothing of it outlives it; it gives way to the target; its log stays on the engine; no name of the world is known."""


def beyond(body: Mapping[str, Any]) -> str:
    """Why the service cannot be cut off from the host; empty when it can."""
    if body.get("privileged"):
        return "it is privileged"
    if mighty := sorted({str(cap).upper().removeprefix("CAP_") for cap in body.get("cap_add") or ()} & MIGHTY):
        return f"it has the capability {mighty[0]}"
    for key in ("network_mode", "pid", "ipc", "uts", "userns_mode", "cgroup"):
        value = str(body.get(key) or "")
        if value == "host" or value.startswith("container:"):
            return f"its {key} is {value}"
    return ""


def service(body: Mapping[str, Any], image: str, making: Making) -> dict[str, Any]:
    """The service in the copy, on *image*: its own ports, networks, mounts and names, the target's everything else."""
    kept = {key: body[key] for key in body if key in KEPT}
    if deploy := kept.get("deploy"):
        kept["deploy"] = {key: deploy[key] for key in ("replicas", "resources", "mode") if key in deploy}
    if body.get("build"):
        kept["build"] = build(body["build"], making)
    if body.get("container_name"):
        kept["container_name"] = f"{making.project}-{body['container_name']}"
    if depends := _depends(body, making):
        kept["depends_on"] = depends
    kept |= {key: body[key] for key in ("pid", "ipc") if str(body.get(key) or "").startswith("service:")}
    return {
        **kept, **OURSELVES, **_networked(body), "image": image, "labels": dict(making.labels),
        "ports": [_port(port) for port in body.get("ports") or ()], "volumes": mounts(body, making)[0],
    }  # fmt: skip


def left_behind(body: Mapping[str, Any]) -> list[str]:
    """The keys of the service that its copy does without."""
    own = {key for key in ("pid", "ipc") if str(body.get(key) or "").startswith("service:")}
    return sorted(key for key, value in body.items() if value and key not in KEPT | MADE | own)


def build(told: Mapping[str, Any], making: Making) -> dict[str, Any]:
    """How the service is built: as the target's, with its folders relative, so that a staged context is built too."""
    kept = {key: told[key] for key in BUILD if told.get(key) is not None}
    kept["context"] = _relative(str(kept.get("context", ".")), making)
    kept["labels"] = dict(making.labels)
    if others := kept.get("additional_contexts"):
        kept["additional_contexts"] = {name: _relative(str(place), making) for name, place in others.items()}
    return kept


def _relative(place: str, making: Making) -> str:
    inside = below(place, making.directory) if place.startswith("/") else None
    return place if inside is None else posixpath.join(".", inside)


def _port(port: Mapping[str, Any]) -> dict[str, Any]:
    """A port of the host that nobody has: one that the engine chooses, on the loopback alone."""
    kept = {key: port[key] for key in ("mode", "target", "protocol") if key in port}
    return {**kept, "host_ip": "127.0.0.1", "published": "0"} if port.get("published") else kept


def _depends(body: Mapping[str, Any], making: Making) -> dict[str, Any]:
    """The same order of starting; nobody waits for what is not there, or is unwell, on the target."""
    found = {}
    for name, told in (body.get("depends_on") or {}).items():
        wanted = told.get("condition", "service_started")
        met = wanted == "service_started" or (wanted == "service_healthy" and making.is_healthy(name))
        met |= wanted == "service_completed_successfully" and making.is_completed(name)
        if name in making.there:
            found[name] = {"condition": wanted if met else "service_started", "required": True}
    return found


def _networked(body: Mapping[str, Any]) -> dict[str, Any]:
    mode = str(body.get("network_mode") or "")
    if mode == "none" or mode.startswith("service:"):
        return {"network_mode": mode}
    asked = body.get("networks") or {"default": None}
    found: dict[str, dict[str, Any]] = {}
    for name, told in asked.items():
        found[name] = {key: told[key] for key in ("aliases", "priority") if told and told.get(key)}
    return {"networks": found}


def is_fixed(body: Mapping[str, Any]) -> bool:
    """Whether only one container of the service can be there: it publishes a port, or has an address of its own."""
    places = (told or {} for told in (body.get("networks") or {}).values())
    ports = any(port.get("published") for port in body.get("ports") or ())
    return ports or any(told.get(key) for told in places for key in FIXED)


def pinned(subnet: str, number: int) -> str:
    """An address of *subnet* for the service *number* of those that need one: from its end, where nobody is."""
    return str(ipaddress.ip_network(subnet)[-2 - number])
