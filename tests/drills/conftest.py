"""The engine that drills are made on, and a stranger's project that must stay as it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
from there import of_project

import checkout
from drillbook.act import images, install
from drillbook.observe.command import run_checked

FOREIGN = checkout.project("drillforeign")
FOREIGN_COMPOSE = """services:
  keeper:
    image: {image}
    command: [sleep, infinity]
    init: true
    volumes: [kept:/data]
volumes:
  kept:
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs the engine, unless it says that it is embedded."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and "engine" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.docker)


@pytest.fixture(scope="session", autouse=True)
def home() -> Iterator[None]:
    """Session fixtures see the same home as tests do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DRILLBOOK_HOME", str(Path(__file__).resolve().parents[2]))
        yield


@pytest.fixture(scope="session")
def engine(home: None) -> Any:
    """A client of the engine, set up where there was none.

    Only ENGINE=embedded skips what needs it, and says so.
    """
    if os.environ.get("ENGINE") == "embedded":
        pytest.skip("ENGINE=embedded: drills on containers are not run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGINE", "docker")
        install.ensure_engine()
    images.ensure_images()
    return docker.from_env()


@dataclass(frozen=True)
class Foreign:
    """A stranger's compose project."""

    project: str
    engine: Any

    def snapshot(self) -> dict[str, Any]:
        """All of it that a careless command could change: ids, start times, the volume and what lies in it."""
        label = {"label": f"com.docker.compose.project={self.project}"}
        containers = of_project(self.engine, self.project)
        return {
            "containers": [(c.id, c.status, c.attrs["State"]["StartedAt"], c.attrs["Image"]) for c in containers],
            "volumes": [(v.name, v.attrs["CreatedAt"]) for v in self.engine.volumes.list(filters=label)],
            "networks": [n.id for n in self.engine.networks.list(filters=label)],
            "data": [c.exec_run(["cat", "/data/kept"]).output for c in containers],
        }


@pytest.fixture(scope="session")
def foreign_project(engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    """A small unrelated compose project with a volume and something in it."""
    folder = tmp_path_factory.mktemp(FOREIGN)
    (folder / "compose.yaml").write_text(FOREIGN_COMPOSE.format(image=f"drillbook-redis:{images.tag()}"))
    compose = ("docker", "compose", "-p", FOREIGN, "--project-directory", str(folder))
    run_checked((*compose, "up", "-d"), timeout=120)
    run_checked((*compose, "exec", "-T", "keeper", "sh", "-c", "echo precious > /data/kept"), timeout=60)
    yield Foreign(FOREIGN, engine)
    run_checked((*compose, "down", "--timeout", "2"), timeout=120)
    engine.volumes.get(f"{FOREIGN}_kept").remove()
