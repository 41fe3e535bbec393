"""The exact commands that empty a volume and bring its content back, by an image that mounts it anyway."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from drillbook.observe.volumes import PLACE
from drillbook.target import Target

EMPTY = "find . -mindepth 1 -delete"
OLD = "/drillbook-aside"


def emptying(image: str, volume: str, helper: str) -> tuple[str, ...]:
    """`docker run` that removes everything in *volume*; the volume itself stays."""
    return _alone(image, f"cd {PLACE} && {EMPTY}", ("-v", f"{volume}:{PLACE}"), helper)


def returning(target: Target, image: str, volume: str, aside: str, containers: Sequence[str]) -> str:
    """What puts the content of *aside* back into *volume*, as a shell takes it; *containers* mount it."""
    script = f"cd {PLACE} && {EMPTY} && cp -a {OLD}/. ."
    copy = _alone(image, script, ("-v", f"{aside}:{OLD}:ro", "-v", f"{volume}:{PLACE}"), "return")
    lines = [copy] if not containers else [("docker", "stop", *containers), copy, ("docker", "start", *containers)]
    return " && ".join(shell(target, *line) for line in lines)


def shell(target: Target, *words: str) -> str:
    """A `docker` command for the target's engine, as a shell takes it."""
    host = ("-H", target.stack.docker_host) if target.stack and target.stack.docker_host else ()
    return shlex.join((words[0], *host, *words[1:]))


def _alone(image: str, script: str, mounts: Sequence[str], helper: str) -> tuple[str, ...]:
    return (
        "docker", "run", "--rm", "--label", f"drillbook.helper={helper}", "--network", "none", "--user", "0:0", *mounts,
        "--entrypoint", "sh", image, "-c", script,
    )  # fmt: skip
