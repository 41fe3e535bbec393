"""What of a container is not as the rendered compose file says, by name. A value is compared, never told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from drillbook.observe.compose import image_name

Config = Mapping[str, Any]
PROXY_VARIABLES = frozenset({"http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"})
"""Compose gives these to every container where the engine's client is set up so."""


def parts_that_differ(config: Config, service: str, seen: Config, image: Config | None) -> tuple[str, ...]:
    """The names of what differs between *service* in a rendered compose file and its container, as inspected.

    *image* is the Config of the container's image, None where it is gone: what a
    container has from its image is then not judged.
    """
    body = config["services"][service]
    parts = [*_environment(body, seen, image)]
    parts += ["image"] if seen["Config"].get("Image") != image_name(config, service, body) else []
    parts += ["command"] if not _same_command(body, seen["Config"], image) else []
    parts += ["ports"] if _ports(body) != _bound(seen) else []
    parts += _mounts(config, body, seen)
    parts += ["restart"] if _restart(body) != _policy(seen) else []
    parts += ["networks"] if not _same_networks(config, body, seen) else []
    return tuple(parts)


def plain(value: Any) -> Any:
    """A rendered value as the container gets it: compose writes `$` as `$$`."""
    if isinstance(value, list):
        return [plain(part) for part in value]
    return str(value).replace("$$", "$")


def _environment(body: Config, seen: Config, image: Config | None) -> Iterator[str]:
    wanted = {k: None if v is None else plain(v) for k, v in (body.get("environment") or {}).items()}
    held = _variables(seen["Config"])
    given = _variables(image) if image is not None else None
    for name in sorted({*wanted, *held}):
        if name in wanted:
            same = held.get(name) == wanted[name]
        else:
            same = given is None or given.get(name) == held[name] or name.lower() in PROXY_VARIABLES
        if not same:
            yield f"environment {name}"


def _variables(config: Config) -> dict[str, str | None]:
    pairs = [text.partition("=") for text in config.get("Env") or ()]
    return {name: value if equals else None for name, equals, value in pairs}


def _same_command(body: Config, held: Config, image: Config | None) -> bool:
    entrypoint, command = body.get("entrypoint"), body.get("command")
    if entrypoint is None and image is not None:
        entrypoint, command = image.get("Entrypoint"), image.get("Cmd") if command is None else plain(command)
    elif entrypoint is None:
        return command is None or plain(command) == (held.get("Cmd") or [])
    else:
        entrypoint, command = plain(entrypoint), plain(command or [])
    return (entrypoint or []) == (held.get("Entrypoint") or []) and (command or []) == (held.get("Cmd") or [])


def _ports(body: Config) -> set[tuple[str, str, str]]:
    return {
        (f"{p['target']}/{p.get('protocol', 'tcp')}", p.get("host_ip", ""), str(p.get("published", "")))
        for p in body.get("ports") or ()
    }


def _bound(seen: Config) -> set[tuple[str, str, str]]:
    bindings = (seen.get("HostConfig") or {}).get("PortBindings") or {}
    return {(port, b.get("HostIp", ""), b.get("HostPort", "")) for port, places in bindings.items() for b in places}


def _mounts(config: Config, body: Config, seen: Config) -> Iterator[str]:
    volumes = config.get("volumes") or {}
    wanted = {
        m["target"].rstrip("/") or "/": (m["type"], _source(m, volumes), bool(m.get("read_only")))
        for m in body.get("volumes") or ()
        if m.get("type") in ("bind", "volume")
    }
    files = {_place(part, kind) for kind in ("secrets", "configs") for part in body.get(kind) or ()}
    held = {
        m["Destination"]: (m["Type"], m.get("Name") if m["Type"] == "volume" else m.get("Source"), not m.get("RW"))
        for m in seen.get("Mounts") or ()
        if m["Type"] in ("bind", "volume")
    }
    for place in sorted({*wanted, *held} - files):
        if place not in wanted:
            from_image = held[place][0] == "volume" and len(str(held[place][1])) == 64
            if not from_image and not body.get("volumes_from"):
                yield f"mount {place}"
        elif place not in held or not _same_mount(wanted[place], held[place]):
            yield f"mount {place}"


def _source(mount: Config, volumes: Config) -> str:
    source = plain(mount.get("source") or "")
    return str((volumes.get(source) or {}).get("name", source)) if mount["type"] == "volume" else source


def _same_mount(wanted: tuple[str, str, bool], held: tuple[str, Any, bool]) -> bool:
    """An anonymous volume has no source to compare; Docker Desktop puts /host_mnt before a folder of the host."""
    anonymous = wanted[0] == "volume" and not wanted[1]
    source = str(held[1] or "").removeprefix("/host_mnt")
    return wanted[0] == held[0] and wanted[2] == held[2] and (anonymous or wanted[1] in (source, str(held[1])))


def _place(part: Config, kind: str) -> str:
    """Where a secret or a config lies in the container."""
    folder = "/run/secrets" if kind == "secrets" else ""
    target = str(part.get("target") or part["source"])
    return target if target.startswith("/") else f"{folder}/{target}"


def _restart(body: Config) -> str:
    conditions = {"none": "no", "on-failure": "on-failure", "any": "always"}
    declared = ((body.get("deploy") or {}).get("restart_policy") or {}).get("condition", "")
    return str(body.get("restart") or conditions.get(declared, "no")).split(":")[0]


def _policy(seen: Config) -> str:
    return ((seen.get("HostConfig") or {}).get("RestartPolicy") or {}).get("Name") or "no"


def _same_networks(config: Config, body: Config, seen: Config) -> bool:
    if body.get("network_mode"):
        return True
    networks = config.get("networks") or {}
    wanted = {(networks.get(name) or {}).get("name", name) for name in body.get("networks") or ()}
    return wanted == set((seen.get("NetworkSettings") or {}).get("Networks") or {})
