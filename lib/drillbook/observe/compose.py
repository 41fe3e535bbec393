"""The compose file as compose itself renders it."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from drillbook.errors import RunbookError
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


def services(target: Target) -> tuple[ServiceFact, ...]:
    """The services that the compose file declares. Changes nothing.

    Raises:
        CommandFailed: compose cannot read the file.
    """
    require_compose()
    done = run_checked(
        compose_argv(target, "config", "--format", "json"), timeout=60, env=environment(target),
        hint=f"mend the compose file in {target.directory}",
    )  # fmt: skip
    config = json.loads(done.stdout)
    return tuple(_service(config, name, body) for name, body in sorted(config["services"].items()))


def _service(config: dict[str, dict[str, dict[str, str]]], name: str, body: dict[str, object]) -> ServiceFact:
    build = body.get("build")
    mounts = body.get("volumes")
    named = [m for m in (mounts if isinstance(mounts, list) else []) if m.get("type") == "volume" and m.get("source")]
    volumes = config.get("volumes", {})
    return ServiceFact(
        name=name,
        image=str(body.get("image") or f"{config['name']}-{name}"),
        context=str(build["context"]) if isinstance(build, dict) else "",
        dockerfile=str(build.get("dockerfile", "Dockerfile")) if isinstance(build, dict) else "",
        volumes=tuple((volumes[m["source"]].get("name", m["source"]), m["target"]) for m in named),
    )
