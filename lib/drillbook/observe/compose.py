"""The compose file as compose itself renders it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from drillbook.errors import CommandFailed, RunbookError
from drillbook.observe.command import environment, run, run_checked
from drillbook.observe.engine import stack_of
from drillbook.observe.facts import ServiceFact
from drillbook.target import Target


def compose_argv(target: Target, *words: str, directory: Path | None = None) -> tuple[str, ...]:
    """`docker compose` for exactly this target's project and files, in its folder or in *directory*, then *words*."""
    stack = stack_of(target)
    folder = directory or target.directory
    files = [part for name in stack.files for part in ("-f", str(folder / name))]
    # compose looks for .env in the project directory, and a staged context does not hold it
    env = target.path(stack.env_file) if stack.env_file else target.directory / ".env"
    env_file = ["--env-file", str(env)] if stack.env_file or (directory and env.is_file()) else []
    base = ["docker", "compose", "-p", stack.project, "--project-directory", str(folder)]
    return (*base, *files, *env_file, *words)


@lru_cache(maxsize=1)
def require_compose() -> str:
    """The version of compose, which is 2 or newer.

    Raises:
        RunbookError: there is none, or it is version 1.
    """
    done = run(("docker", "compose", "version", "--short"), timeout=30)
    version = done.stdout.strip().lstrip("v")
    if done.code != 0 or not version or version.startswith("1."):
        raise RunbookError(
            f"docker compose v2 is needed; found {version or 'none'}",
            "install the compose plugin (drillbook sandbox engine does on Debian)",
        )
    return version


def rendered(target: Target) -> dict[str, Any]:
    """The compose file as compose renders it, variables filled in and `$` written as `$$`. Changes nothing.

    Raises:
        CommandFailed: compose cannot read the file.
    """
    require_compose()
    hint = f"mend the compose file in {target.directory}"
    argv = compose_argv(target, "config", "--format", "json")
    done = run_checked(argv, timeout=60, env=environment(target), hint=hint)
    try:
        told = json.loads(done.stdout)
    except ValueError as error:
        raise CommandFailed(f"compose renders {target.directory} as something that is not JSON", hint) from error
    return told if isinstance(told, dict) else {}


def services(target: Target) -> tuple[ServiceFact, ...]:
    """The services that the compose file declares; those of a profile that is not active are not there.

    Changes nothing. A build context that is no local folder is told as compose tells it.

    Raises:
        CommandFailed: compose cannot read the file.
    """
    config = rendered(target)
    return tuple(_service(config, name, body or {}) for name, body in sorted((config.get("services") or {}).items()))


def image_name(config: Mapping[str, Any], name: str, body: Mapping[str, Any]) -> str:
    """The image that containers of the service *name*, rendered as *body*, are made from."""
    return str(body.get("image") or f"{config['name']}-{name}")


def _service(config: Mapping[str, Any], name: str, body: Mapping[str, Any]) -> ServiceFact:
    build = body.get("build") or {}
    named = [m for m in body.get("volumes") or () if m.get("type") == "volume" and m.get("source")]
    volumes = config.get("volumes") or {}
    inline = str(build.get("dockerfile_inline") or "").replace("$$", "$")
    return ServiceFact(
        name=name,
        image=image_name(config, name, body),
        context=str(build.get("context", "")),
        dockerfile=str(build.get("dockerfile") or "Dockerfile") if build and not inline else "",
        volumes=tuple(((volumes.get(m["source"]) or {}).get("name", m["source"]), m["target"]) for m in named),
        replicas=_replicas(body),
        build_args={k: str(v).replace("$$", "$") for k, v in (build.get("args") or {}).items() if v is not None},
        build_target=str(build.get("target") or ""),
        cache_from=tuple(map(str, build.get("cache_from") or ())),
        cache_to=tuple(map(str, build.get("cache_to") or ())),
        dockerfile_inline=inline,
        depends=tuple(body.get("depends_on") or ()),
        alone=alone(body),
        named=str(body.get("container_name") or ""),
        grace_seconds=duration(body.get("stop_grace_period"), 10.0),
        ready_seconds=_ready(body.get("healthcheck") or {}),
    )


FIXED = ("ipv4_address", "ipv6_address", "mac_address")
"""What only one container of a network can have."""


def alone(body: Mapping[str, Any]) -> str:
    """Why a second container of the service cannot run beside the first; empty when it can.

    One that asks for several replicas shares what it mounts by its own design.
    """
    return next(_bound(body), "")


def _bound(body: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"it publishes the host's port {p['published']}" for p in body.get("ports") or () if p.get("published"))
    if body.get("container_name"):
        yield f"its container has a fixed name, {body['container_name']}"
    if body.get("network_mode") not in (None, "bridge"):
        yield f"its network is {body['network_mode']}"
    networks = [network for network in (body.get("networks") or {}).values() if network]
    yield from (f"it has a fixed address, {network[key]}" for network in networks for key in FIXED if network.get(key))
    yield from (f"it shares the volumes of {name}" for name in body.get("volumes_from") or ())
    written = [m for m in body.get("volumes") or () if m["type"] in ("volume", "bind") and not m.get("read_only")]
    if _replicas(body) < 2:
        yield from (f"it writes to what is mounted at {mount['target']}" for mount in written)


_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(text: Any, default: float) -> float:
    """The seconds of a duration as compose renders it (`1m30s`); *default* where it says none."""
    found = re.findall(r"([0-9.]+)(us|ms|h|m|s)", str(text or ""))
    return sum(float(number) * _UNITS[unit] for number, unit in found) if found else default


def _ready(check: Mapping[str, Any]) -> float:
    """The longest that a health check lets a start take: its start period, then every retry."""
    if not check or check.get("disable"):
        return 0.0
    each = duration(check.get("interval"), 30.0) + duration(check.get("timeout"), 30.0)
    return duration(check.get("start_period"), 0.0) + each * int(check.get("retries") or 3)


def _replicas(body: Mapping[str, Any]) -> int:
    """How many containers the service asks for; `--scale` on the command line is not in the file."""
    asked = body.get("scale")
    if asked is None:
        asked = (body.get("deploy") or {}).get("replicas")
    return 1 if asked is None else int(asked)
