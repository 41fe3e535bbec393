"""The copy as a target: its own project, folder and file; its endpoints asked at the address of who publishes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import builders

from drillbook.decide.rehearse_config import copied
from drillbook.decide.rehearse_making import Making
from drillbook.decide.rehearse_target import copy_target, endpoints
from drillbook.target import Target

PORTS = [{"target": 80, "published": "8080"}, {"target": 443, "published": "8443"}]
CONFIG: dict[str, Any] = {
    "name": "connect", "services": {"proxy": {"ports": PORTS}, "app1": {}, "agent": {"privileged": True}},
    "networks": {"default": {}}, "volumes": {"redis_data": {"name": "connect_redis_data"}},
}  # fmt: skip
MAKING = Making(
    "connect-rehearsal-0a1b2c", builders.DIRECTORY, "/copy/source", "/copy/scratch", subnets={"default": "10.9.0.0/24"}
)
FILES = {"compose": "/copy/compose.json", "env": "/opt/connect/.env", "vault": "/copy/vault"}


def target(**changes: Any) -> Target:
    stack = builders.stack("app1", "agent", proxy=builders.PROXY)
    return builders.target(**{"stack": stack, **changes})


def asked(**urls: str) -> Target:
    return target(endpoints={name: {"url": url} for name, url in urls.items()})


def test_the_copy_is_another_target_at_the_same_name() -> None:
    """Its identity differs, so that no lock, approval or backup of one is taken for the other's."""
    real = target(databases={"main": {"service": "db", "dbname": "d", "user": "u", "password": "file:secret"}})
    copy = copy_target(real, CONFIG, copied(CONFIG, MAKING), MAKING, FILES)
    assert copy.name == real.name
    assert copy.stack.project == MAKING.project  # type: ignore[union-attr]
    assert copy.identity != real.identity
    assert (str(copy.directory), copy.stack.files) == ("/copy/source", ("/copy/compose.json",))  # type: ignore[union-attr]
    assert copy.databases == real.databases
    assert copy.path("secret") == real.path("secret"), "what is named relative to the target's file is found there"
    assert copy.vault == Path("/copy/vault/connect")
    assert set(copy.stack.services) == {"app1"}, "who is left out is not asked"  # type: ignore[union-attr]


def test_endpoints_are_asked_where_their_port_is_published() -> None:
    """Path and query stay; the service behind the port is asked straight, at its own port."""
    found, without = endpoints(asked(a="http://127.0.0.1:8080/api?x=1"), CONFIG, {"proxy": "10.9.0.254"})
    assert {key: e.url for key, e in found.items()} == {"a": "http://10.9.0.254:80/api?x=1"}
    assert without == {}


def test_an_endpoint_that_cannot_be_asked_is_told() -> None:
    """A certificate is for a name; a port of another machine is nobody's here."""
    real = asked(tls="https://example.com:8443/", other="http://example.com/", api="http://localhost:9000/")
    found, without = endpoints(real, CONFIG, {"proxy": "10.9.0.254"})
    assert found == {}
    assert without == {
        "tls": "https at an address has no certificate that fits", "other": "no service of the copy publishes port 80",
        "api": "no service of the copy publishes port 9000",
    }  # fmt: skip


def test_volumes_are_known_by_their_keys() -> None:
    """The target's file may name one in full: that name is the target's alone."""
    real = target(volumes={"connect_redis_data": {"kind": "redis"}})
    assert list(copy_target(real, CONFIG, copied(CONFIG, MAKING), MAKING, FILES).volumes) == ["redis_data"]
