"""The engine: which containers are this target's, and what is said when it does not answer, or not well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import builders
import pytest
from engines import CUT, serving_engine

from drillbook.errors import EngineDown, RunbookError
from drillbook.observe import engine
from drillbook.observe.facts import ContainerFact
from drillbook.target import Target

OURS = {
    "com.docker.compose.project": "connect",
    "com.docker.compose.project.working_dir": builders.DIRECTORY,
    "com.docker.compose.project.config_files": f"{builders.DIRECTORY}/compose.yaml",
}
ID = "c" * 64


@pytest.mark.parametrize(
    ("changes", "ours"),
    [
        ({}, True),
        ({"com.docker.compose.project": "another"}, False),
        ({"com.docker.compose.project.working_dir": "/srv/another"}, False),
        ({"com.docker.compose.project.config_files": f"{builders.DIRECTORY}/other.yaml"}, False),
        ({"com.docker.compose.project.config_files": f"/x.yaml,{builders.DIRECTORY}/compose.yaml"}, True),
    ],
)
def test_all_three_labels_must_agree(changes: dict[str, str], *, ours: bool) -> None:
    """A container of a stack with the same name in another folder is never taken for this target's."""
    assert engine.is_ours(builders.target(), {**OURS, **changes}) is ours


def test_container_without_labels_is_not_ours() -> None:
    """A container that compose did not make is nobody's."""
    assert not engine.is_ours(builders.target(), {})


def test_engine_that_does_not_answer_is_a_fact(tmp_path: Path) -> None:
    """An engine that is down ends with a fact, a hint and the engine's own words as evidence."""
    with pytest.raises(EngineDown, match=r"no\.sock does not answer") as caught:
        engine.client(target(f"unix://{tmp_path}/no.sock"))
    assert "start it" in caught.value.hint
    assert caught.value.evidence


@pytest.mark.parametrize("host", ["nonsense://x", "tcp://127.0.0.1:1", "unix:///etc/passwd"])
def test_address_that_is_none_is_a_fact(host: str) -> None:
    """A docker_host that cannot be one ends as an engine that is down."""
    with pytest.raises(EngineDown, match="does not answer"):
        engine.client(target(host))


def test_target_without_a_stack_says_so() -> None:
    """What needs a stack says that this target has none."""
    with pytest.raises(RunbookError, match="has no stack"):
        engine.stack_of(builders.database_target())


def target(host: str) -> Target:
    stack = {"project": "connect", "directory": builders.DIRECTORY, "docker_host": host}
    return builders.target(stack=stack)


def inspected(**changes: Any) -> dict[str, Any]:
    """A running container, as the engine tells it."""
    labels = {**OURS, "com.docker.compose.service": "proxy", "com.docker.compose.config-hash": "4bdf"}
    seen = {
        "Id": ID, "Name": "/connect-proxy-1", "Image": builders.NEW, "Created": "2025-10-13T02:00:00Z",
        "State": {"Running": True, "ExitCode": 0, "StartedAt": "2025-10-13T02:00:01Z"},
        "Config": {"Image": "nginx:1", "Labels": labels},
        "HostConfig": {"RestartPolicy": {"Name": "unless-stopped"}, "PortBindings": {"80/tcp": [{"HostPort": "8080"}]}},
        "NetworkSettings": {
            "Networks": {"connect_default": {"IPAddress": "172.18.0.9"}},
            "Ports": {"80/tcp": [{"HostPort": "8080"}, {"HostPort": "8080"}], "443/tcp": None},
        },
        "Mounts": [],
    }  # fmt: skip
    return {**seen, **changes}


def asked(tmp_path: Path, answers: dict[str, Any]) -> tuple[ContainerFact, ...]:
    known = {
        "/containers/json": (200, [{"Id": ID}]),
        f"/containers/{ID}/json": (200, inspected()),
        "/images/nginx:1/json": (200, {"Id": builders.NEW}),
    }
    with serving_engine(tmp_path / "engine.sock", {**known, **answers}) as host:
        return engine.containers(target(host))


def test_container_tells_its_ports_its_policy_and_its_configuration(tmp_path: Path) -> None:
    """Each port of the host is told once; a port that is exposed only is not one of the host's."""
    [fact] = asked(tmp_path, {})
    assert (fact.ports, fact.restart_policy, fact.config_hash) == ((8080,), "unless-stopped", "4bdf")
    assert (fact.address, fact.tag_image_id) == ("172.18.0.9", builders.NEW)


def test_container_tells_its_pgdata_and_what_it_has_in_memory(tmp_path: Path) -> None:
    """PGDATA alone of its environment, and the folders of compose's `tmpfs:`, which are no mounts to the engine."""
    config = {**inspected()["Config"], "Env": ["POSTGRES_PASSWORD=hunter2", "PGDATA=/srv/pg=data", "PATH=/bin"]}
    [fact] = asked(
        tmp_path,
        {
            f"/containers/{ID}/json": (
                200,
                inspected(Config=config, HostConfig={"Tmpfs": {"/run": "", "/b": "size=1m"}}),
            )
        },
    )
    assert (fact.pgdata, fact.tmpfs, fact.mounts) == ("/srv/pg=data", ("/b", "/run"), ())
    assert "hunter2" not in repr(fact)
    [fact] = asked(tmp_path, {})
    assert (fact.pgdata, fact.tmpfs) == ("", ())


@pytest.mark.parametrize("status", ["paused", "restarting", "dead", "removing", "created"])
def test_container_in_any_state_is_told(tmp_path: Path, status: str) -> None:
    """A container without an address, a network or a port is told as it is."""
    state = {"Running": status in ("paused", "restarting"), "Status": status, "ExitCode": 137, "Health": None}
    odd = inspected(State=state, NetworkSettings={"Networks": None, "Ports": {}}, Mounts=None)
    [fact] = asked(tmp_path, {f"/containers/{ID}/json": (200, odd)})
    assert (fact.exit_code, fact.address, fact.mounts) == (137, "", ())
    assert fact.ports == (8080,), "what it asks for when it starts"


def test_container_and_image_that_are_gone_meanwhile_are_passed_over(tmp_path: Path) -> None:
    """Between the list and the look a container may go; a tag that means nothing any more is empty."""
    assert asked(tmp_path, {f"/containers/{ID}/json": (404, {"message": "No such container"})}) == ()
    [fact] = asked(tmp_path, {"/images/nginx:1/json": (404, {"message": "No such image"})})
    assert fact.tag_image_id == ""


def test_engine_that_fails_midway_is_a_fact(tmp_path: Path) -> None:
    """What the engine cannot tell ends in its own words, and an engine that goes away as one that is down."""
    with pytest.raises(RunbookError, match="could not tell the target's containers: layer store is broken") as caught:
        asked(tmp_path, {f"/containers/{ID}/json": (500, {"message": "layer store is broken"})})
    assert caught.value.hint
    with pytest.raises(EngineDown, match="went away"):
        asked(tmp_path, {f"/containers/{ID}/json": CUT})


def test_volumes_that_cannot_be_listed_are_a_fact(tmp_path: Path) -> None:
    """Volumes end as containers do."""
    with (
        serving_engine(tmp_path / "engine.sock", {"/volumes": (500, {"message": "no disk"})}) as host,
        pytest.raises(RunbookError, match="volumes: no disk"),
    ):
        engine.volumes(target(host))


@pytest.mark.parametrize(
    ("host", "local"), [("", True), ("unix:///run/x", True), ("ssh://a", False), ("tcp://a", False)]
)
def test_only_an_engine_of_this_machine_is_local(host: str, *, local: bool) -> None:
    """Elsewhere the paths that the engine names are not paths here."""
    assert engine.is_local(target(host)) is local
