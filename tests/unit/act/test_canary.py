"""A canary's configuration: the service's own, but for every name and port by which a request would reach it."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from drillbook.act.canary import LABEL, LEFT_OUT, variant
from drillbook.errors import CommandFailed
from drillbook.observe.command import run

SERVICE: dict[str, Any] = {
    "image": "connect-app1", "build": {"context": "/opt/connect"}, "command": ["node", "a $$HOME b"],
    "entrypoint": None, "environment": {"PRICE": "5$$", "PGHOST": "postgres"}, "hostname": "app1",
    "container_name": "the-app", "depends_on": {"postgres": {"condition": "service_healthy", "required": True}},
    "deploy": {"replicas": 3, "placement": {}}, "scale": 2, "profiles": ["web"], "links": ["postgres:db"],
    "labels": {"traefik.enable": "true"}, "restart": "unless-stopped", "user": "node", "read_only": True,
    "ports": [{"mode": "ingress", "target": 3000, "published": "3000", "protocol": "tcp"}],
    "networks": {"default": {"aliases": ["app"], "ipv4_address": "172.20.0.9"}, "back": None},
    "healthcheck": {"test": ["CMD", "true"], "interval": "1s"}, "stop_grace_period": "5s",
    "secrets": [{"source": "password", "target": "/run/secrets/password"}], "configs": [{"source": "conf"}],
    "volumes": [
        {"type": "volume", "source": "data", "target": "/data", "volume": {}},
        {"type": "volume", "target": "/scratch", "volume": {}},
        {"type": "bind", "source": "/srv/x", "target": "/x", "read_only": True, "bind": {}},
        {"type": "tmpfs", "target": "/t"},
    ],
}  # fmt: skip
CONFIG: dict[str, Any] = {
    "name": "connect", "services": {"app1": SERVICE, "postgres": {"image": "postgres:16"}},
    "networks": {"default": {"name": "connect_default", "ipam": {}}, "back": {"name": "corp", "external": True},
                 "unused": {"name": "connect_unused"}},
    "volumes": {"data": {"name": "connect_data", "labels": {"a": "b"}}, "pg": {"name": "connect_pg"}},
    "secrets": {"password": {"name": "connect_password", "file": "/srv/password"}},
    "configs": {"conf": {"name": "connect_conf", "content": "a $$b"}},
}  # fmt: skip


def made(**changes: Any) -> dict[str, Any]:
    config = {**CONFIG, "services": {**CONFIG["services"], "app1": {**SERVICE, **changes}}}
    return variant(config, "app1", "connect-app1:new", "0123")


def canary() -> dict[str, Any]:
    return dict(made()["services"]["canary"])


def test_nobody_reaches_it() -> None:
    """No port of the host, no alias, no name of its service, no label by which a proxy finds containers."""
    body = canary()
    assert not set(LEFT_OUT) - {"labels"} & body.keys()
    assert body["networks"] == {"default": None, "back": None}
    assert body["labels"] == {LABEL: "0123"}
    assert list(made()["services"]) == ["canary"]


def test_it_runs_the_new_image_once() -> None:
    """Neither pulled nor built, and not started again when it ends: that is what it is to tell."""
    body = canary()
    assert (body["image"], body["pull_policy"], body["restart"]) == ("connect-app1:new", "never", "no")


@pytest.mark.parametrize(("declared", "image"), [("web:2", "web:2"), (None, "connect-app1"), ("", "connect-app1")])
def test_without_a_new_image_it_runs_what_the_tag_means(declared: str | None, image: str) -> None:
    """A reset of containers alone tries the image that is there, also one that has no name in the compose file."""
    config = {**CONFIG, "services": {"app1": {**SERVICE, "image": declared}}}
    assert variant(config, "app1", "", "0123")["services"]["canary"]["image"] == image


def test_everything_else_is_the_services_own() -> None:
    """Command, environment, user, health check, mounts and secrets: else it would prove another thing."""
    body = canary()
    own = ("command", "environment", "user", "read_only", "healthcheck", "secrets", "configs", "volumes")
    assert {key: body[key] for key in own} == {key: SERVICE[key] for key in own}


def test_dollars_stay_doubled() -> None:
    """Compose reads the variant as it reads any file: `$$` is what it renders, and what it takes for a dollar."""
    text = json.dumps(made())
    assert ("a $$HOME b" in text, "5$$" in text, "a $$b" in text) == (True, True, True)
    assert "$$$" not in text


def test_networks_and_volumes_are_the_stacks_own() -> None:
    """By their real names and external: nothing is made or removed with it; what it does not use is not there."""
    found = made()
    assert found["networks"] == {
        "default": {"external": True, "name": "connect_default"}, "back": {"external": True, "name": "corp"},
    }  # fmt: skip
    assert found["volumes"] == {"data": {"external": True, "name": "connect_data"}}


def test_secrets_are_files_as_before() -> None:
    """A secret goes by its file; its value stands nowhere."""
    found = made()
    assert found["secrets"] == CONFIG["secrets"]
    assert found["configs"] == CONFIG["configs"]


@pytest.mark.parametrize("changes", [{"networks": None, "network_mode": "bridge"}, {"networks": {}}])
def test_service_without_networks_stays_so(changes: dict[str, Any]) -> None:
    """One on the engine's own bridge joins no network of the stack."""
    found = made(**changes)
    assert found["networks"] == {}
    assert not found["services"]["canary"].get("networks")
    assert found["services"]["canary"].get("network_mode") == changes.get("network_mode")


def test_bare_service_has_nothing_to_leave_out() -> None:
    """No mounts, no secrets: a stack that declares none still has a canary."""
    config = {"name": "x", "services": {"app1": {"image": "a", "networks": {"default": None}}},
              "networks": {"default": {"name": "x_default"}}}  # fmt: skip
    found = variant(config, "app1", "a:new", "0123")
    assert found["volumes"] == {}
    assert not {"secrets", "configs"} & found.keys()


def test_configuration_it_is_made_from_stays_as_it_was() -> None:
    """The same rendering serves the next service."""
    before = deepcopy(CONFIG)
    made()
    assert before == CONFIG


def test_compose_takes_it() -> None:
    """Compose itself reads it, and gives the same service back: no name is missing in it."""
    told = {**made(), "name": "drillbook-canary-0123"}
    try:
        done = run(("docker", "compose", "-f", "-", "config", "--format", "json"), timeout=60, stdin=json.dumps(told))
    except CommandFailed:
        pytest.skip("there is no docker here")
    if "is not a docker command" in done.stderr:
        pytest.skip("there is no compose here")
    assert done.code == 0, done.stderr
    body = json.loads(done.stdout)["services"]["canary"]
    assert body["environment"] == SERVICE["environment"]
    assert "ports" not in body
