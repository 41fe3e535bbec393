"""Error lines of logs: grouped, without secrets, from real containers."""

from __future__ import annotations

import os
from collections.abc import Iterator

import builders
import docker
import pytest
from engine_images import needs_engine, run

from drillbook.act.images import tag
from drillbook.observe import engine as looking
from drillbook.observe.facts import ContainerFact
from drillbook.observe.logs import hidden, logs
from drillbook.target import Signs, Target

SAYS = (
    "echo started; for n in 1 2 3; do echo \"TypeError: row $n of 550e8400-e29b-41d4-a716-44665544000$n\" >&2; done; "
    "printf '\\033[31mFATAL\\033[0m: password=hunter22 refused\\n'; echo 'no error here'; printf 'Error: \\377 odd\\n'"
)  # fmt: skip


@pytest.fixture
def target() -> Target:
    return builders.target()


@pytest.fixture
def talker() -> Iterator[ContainerFact]:
    name = f"drillbook-test-log-{os.getpid()}"
    run("docker", "run", "-d", "--name", name, "--network", "none", f"drillbook-redis:{tag()}", "sh", "-c", SAYS)
    run("docker", "wait", name)
    client = docker.from_env()
    yield looking._container(client, client.api.inspect_container(name), {"com.docker.compose.service": "app"})
    client.close()
    run("docker", "rm", "-f", "-v", name)


@needs_engine
def test_repeats_are_one_line_and_secrets_are_none(target: Target, talker: ContainerFact) -> None:
    """Lines that differ by ids alone are counted once; the container may have ended; odd bytes break nothing."""
    found = {fact.line.split(":")[0]: fact for fact in logs(target, [talker], 100, Signs().log_pattern)}
    assert set(found) == {"TypeError", "FATAL", "Error"}
    assert (found["TypeError"].times, found["TypeError"].line[-1]) == (3, "3")
    assert "hunter22" not in found["FATAL"].line
    assert found["FATAL"].last.startswith("20")


@needs_engine
def test_none_are_asked_for(target: Target, talker: ContainerFact) -> None:
    """With log_lines 0 no log is read."""
    assert logs(target, [talker], 0, ".") == ()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("postgres://connect:hunter22@db/x", "postgres://connect:***@db/x"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("token=abc next", "token=*** next"),
        ("the passwordless way", "the passwordless way"),
    ],
)
def test_secrets_are_hidden(said: str, told: str) -> None:
    """What looks like a secret is taken out before it is shown or kept."""
    assert hidden(said) == told
