"""What is somebody else's beside the stand: a compose project, a volume, an image; no fault may touch it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker

from drillbook.act import images
from drillbook.observe.command import run, run_checked

STRANGER = """x-all: &all {{image: "{image}", init: true, labels: {{sweep.stranger: "{project}"}}}}
services:
  keeper: {{<<: *all, command: [sleep, infinity], restart: always, volumes: ["kept:/data"]}}
  idle: {{<<: *all, command: ["true"]}}
volumes:
  kept:
"""


def clear_strangers(project: str) -> None:
    """Take away those that a sweep left that was killed."""
    engine, name = docker.from_env(), f"stranger-{project}"
    for container in engine.containers.list(all=True, filters={"label": f"com.docker.compose.project={name}"}):
        container.remove(force=True, v=True)
    for network in engine.networks.list(filters={"label": f"com.docker.compose.project={name}"}):
        network.remove()
    for volume in (f"{name}_kept", f"dangling-{project}"):
        run(("docker", "volume", "rm", volume), timeout=30)
    run(("docker", "rmi", f"{name}:1"), timeout=30)


@contextmanager
def strangers(project: str, folder: Path) -> Iterator[None]:
    """A foreign compose project with a stopped container, a dangling volume, and somebody else's image."""
    name, place = f"stranger-{project}", folder / f"stranger-{project}"
    place.mkdir()
    image = f"drillbook-redis:{images.tag()}"
    (place / "compose.yaml").write_text(STRANGER.format(image=image, project=project))
    compose = ("docker", "compose", "-p", name, "--project-directory", str(place))
    run_checked((*compose, "up", "-d"), timeout=120)
    run_checked((*compose, "exec", "-T", "keeper", "sh", "-c", "echo precious > /data/kept"), timeout=60)
    run_checked(("docker", "volume", "create", f"dangling-{project}"), timeout=30)
    run_checked(("docker", "tag", image, f"{name}:1"), timeout=30)
    try:
        yield
    finally:
        run_checked((*compose, "rm", "--stop", "--force", "-v"), timeout=120)
        run_checked((*compose, "down", "--timeout", "1"), timeout=120)
        for volume in (f"{name}_kept", f"dangling-{project}"):
            run_checked(("docker", "volume", "rm", volume), timeout=30)
        run_checked(("docker", "rmi", f"{name}:1"), timeout=30)
        shutil.rmtree(place)
