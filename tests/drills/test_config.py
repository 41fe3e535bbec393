"""Drift, on real containers: what `up` makes is none, whatever way it was called; what was changed since is named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_images import anonymous

import checkout
from drillbook.act.images import tag
from drillbook.observe import compose, engine
from drillbook.observe.command import environment, run_checked
from drillbook.observe.config import configs
from drillbook.target import Target, parse_target

pytestmark = pytest.mark.matrix

PROJECT = checkout.project("drillconfig")
FILE = """services:
  app:
    image: drillbook-node:{tag}
    command: [sleep, infinity]
    init: true
    stop_grace_period: 1s
    env_file: app.env
    environment: {{TOKEN: hunter2, DOLLAR: a$$b, ABSENT: }}
    depends_on:
      db: {{condition: service_started}}
      tool: {{condition: service_started, required: false}}
    deploy: {{replicas: 2}}
    volumes: ["./app.conf:/etc/app.conf:ro", "data:/data", "/scratch"]
    configs: [shared]
    secrets: [key]
  db: &plain
    image: drillbook-node:{tag}
    command: sleep infinity
    init: true
    stop_grace_period: 1s
    ports: ["127.0.0.1::81", "82"]
  tool:
    <<: *plain
    profiles: [tools]
volumes: {{data: }}
configs: {{shared: {{file: app.env}}}}
secrets: {{key: {{file: app.key}}}}
"""


class Stack:
    """A small stack of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "compose.yaml"
        self.nameless: set[str] = set()
        self.file.write_text(FILE.format(tag=tag()))
        for name in ("app.env", "app.conf", "app.key"):
            (folder / name).write_text(f"FROM={name}\n")
        raw = {"name": PROJECT, "stack": {"project": PROJECT, "directory": str(folder)},
               "databases": {"main": {"service": "db", "dbname": "x", "user": "x"}}}  # fmt: skip
        self.target: Target = parse_target(raw, folder / "target.yaml")

    def compose(self, *words: str) -> None:
        argv = compose.compose_argv(self.target, *words)
        run_checked(argv, timeout=120, env=environment(self.target))
        self.nameless |= anonymous(self.target)

    def drift(self) -> dict[str, tuple[str, ...]]:
        """service → what differs, the same in each of its containers; a hash that is not the wanted one says what."""
        facts = configs(self.target, engine.containers(self.target), compose.services(self.target))
        assert facts
        assert not [fact for fact in facts if fact.wanted != fact.actual and not fact.differs]
        assert not [fact for fact in facts if fact.unread]
        assert "hunter2" not in str(facts)
        found = {(fact.service, fact.differs) for fact in facts}
        assert len(found) == len({service for service, _ in found})
        return {service: differs for service, differs in found if differs}

    def edit(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def made(engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("config"))
    yield stack
    stack.compose("--profile", "tools", "down", "--remove-orphans")
    assert stack.nameless, "each /scratch is one"
    for name in (f"{PROJECT}_data", *stack.nameless):
        engine.volumes.get(name).remove()


@pytest.fixture
def stack(made: Stack) -> Stack:
    """As the file says, freshly made."""
    Stack(made.folder)
    made.compose("up", "-d", "--remove-orphans")
    return made


def test_no_way_of_calling_up_is_drift(stack: Stack) -> None:
    """Alone, without its dependencies, with another scale, with a profile: the configuration is the same."""
    assert stack.drift() == {}
    for words in (
        ("up", "-d", "--force-recreate", "--no-deps", "app"),
        ("up", "-d", "--scale", "app=3"),
        ("--profile", "tools", "up", "-d", "--force-recreate"),
        ("up", "-d", "--pull", "never", "--force-recreate", "app"),
        ("restart", "app"),
    ):
        stack.compose(*words)
        assert stack.drift() == {}, words


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("hunter2", "hunter3", ("environment TOKEN",)),
        ("./app.conf:/etc/app.conf:ro", "./app.conf:/etc/app.conf", ("mount /etc/app.conf",)),
        ("init: true\n    stop_grace_period: 1s\n    env_file", "restart: always\n    env_file", ("restart",)),
        ("[sleep, infinity]", "[sleep, '999']", ("command",)),
        ("stop_grace_period: 1s\n    env_file", "stop_grace_period: 2s\n    env_file", ("configuration",)),
    ],
)
def test_edited_compose_file_is_drift_until_up(stack: Stack, old: str, new: str, names: tuple[str, ...]) -> None:
    """Each of the service's containers says what differs, and none after `up`."""
    stack.edit(old, new)
    assert stack.drift() == {"app": names}
    stack.compose("up", "-d")
    assert stack.drift() == {}


def test_env_file_counts(stack: Stack) -> None:
    """What a container has from an env_file is its configuration as well."""
    (stack.folder / "app.env").write_text("FROM=elsewhere\n")
    found = stack.drift()
    assert found == {"app": ("environment FROM",)}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into a container's process")
def test_replaced_file_is_told_and_touched_or_written_in_place_is_not(stack: Stack) -> None:
    """The engine's archive shows the host's file; the container sees the one that it was started with."""
    conf = stack.folder / "app.conf"
    conf.touch()
    conf.write_text("FROM=place\n")
    assert stack.drift() == {}
    new = stack.folder / "app.conf.new"
    new.write_text("FROM=again\n")
    new.rename(conf)
    assert stack.drift() == {"app": ("file /etc/app.conf",)}
    stack.compose("restart", "app")
    assert stack.drift() == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into a container's process")
def test_replaced_secret_is_told_by_its_path(stack: Stack) -> None:
    """A rotated secret that the container does not see yet."""
    new = stack.folder / "new.key"
    new.write_text("hunter2\n")
    new.rename(stack.folder / "app.key")
    assert stack.drift() == {"app": ("file /run/secrets/key",)}
