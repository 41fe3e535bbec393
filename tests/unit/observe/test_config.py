"""What of a container is not as the compose file says: by name, never by value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import builders
import pytest

from drillbook.errors import CommandFailed
from drillbook.observe import config
from drillbook.observe.command import Completed
from drillbook.observe.config import configs, parsed
from drillbook.observe.config_parts import parts_that_differ
from drillbook.observe.facts import ConfigFact, ContainerFact, ServiceFact

SECRET = "hunter2"
IMAGE = {"Env": ["PATH=/bin", "LANG=C"], "Cmd": ["node", "server.js"], "Entrypoint": None}
RENDERED: dict[str, Any] = {
    "name": "connect",
    "networks": {"default": {"name": "connect_default"}},
    "volumes": {"data": {"name": "connect_data"}},
    "services": {
        "app": {
            "command": None, "entrypoint": None,
            "environment": {"A": "1", "DOLLAR": "a$$b", "EMPTY": "", "UNSET": None, "TOKEN": SECRET},
            "image": "app:1",
            "networks": {"default": None},
            "ports": [{"host_ip": "127.0.0.1", "target": 80, "published": "8080", "protocol": "tcp"}],
            "restart": "on-failure:3",
            "configs": [{"source": "c"}],
            "secrets": [{"source": "s"}, {"source": "t", "target": "/elsewhere"}],
            "depends_on": {"db": {"condition": "service_started"}},
            "volumes": [
                {"type": "volume", "source": "data", "target": "/data"},
                {"type": "bind", "source": "/srv/x", "target": "/x/", "read_only": True},
                {"type": "volume", "target": "/scratch"},
                {"type": "tmpfs", "target": "/run"},
            ],
        },
        "db": {"image": "db:1"},
    },
}  # fmt: skip
HELD: dict[str, Any] = {
    "Config": {
        "Image": "app:1", "Cmd": ["node", "server.js"], "Entrypoint": None,
        "Env": ["A=1", "DOLLAR=a$b", "EMPTY=", "UNSET", f"TOKEN={SECRET}", "PATH=/bin", "LANG=C", "HTTP_PROXY=http://p"],
    },
    "HostConfig": {
        "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]},
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
    },
    "NetworkSettings": {"Networks": {"connect_default": {}}},
    "Mounts": [
        {"Type": "volume", "Name": "connect_data", "Source": "/var/…", "Destination": "/data", "RW": True},
        {"Type": "bind", "Source": "/host_mnt/srv/x", "Destination": "/x", "RW": False},
        {"Type": "volume", "Name": "a" * 64, "Source": "/var/…", "Destination": "/scratch", "RW": True},
        {"Type": "volume", "Name": "b" * 64, "Source": "/var/…", "Destination": "/of/the/image", "RW": True},
        {"Type": "bind", "Source": "/srv/s", "Destination": "/run/secrets/s", "RW": False},
        {"Type": "bind", "Source": "/srv/t", "Destination": "/elsewhere", "RW": False},
        {"Type": "bind", "Source": "/srv/c", "Destination": "/c", "RW": False},
    ],
}  # fmt: skip


def differing(service: dict[str, Any] | None = None, held: dict[str, Any] | None = None, image: Any = IMAGE) -> Any:
    rendered, seen = deepcopy(RENDERED), deepcopy(HELD)
    rendered["services"]["app"].update(service or {})
    for section, changes in (held or {}).items():
        seen[section] = changes if isinstance(changes, list) else {**seen[section], **changes}
    return parts_that_differ(rendered, "app", seen, image)


def test_container_that_compose_made_does_not_differ() -> None:
    """What the image brings, secrets, configs, anonymous volumes and the proxy's variables are no difference."""
    assert differing() == ()


ENV = RENDERED["services"]["app"]["environment"]
MOUNTS = HELD["Mounts"]


@pytest.mark.parametrize(
    ("service", "held", "told"),
    [
        ({"environment": {**ENV, "TOKEN": "other"}}, {}, ("environment TOKEN",)),
        ({"environment": {**ENV, "MORE": "1"}}, {}, ("environment MORE",)),
        ({"environment": {k: v for k, v in ENV.items() if k != "A"}}, {}, ("environment A",)),
        ({"environment": {**ENV, "LANG": "de"}}, {}, ("environment LANG",)),
        ({"environment": {**ENV, "UNSET": "1"}}, {}, ("environment UNSET",)),
        ({"image": "app:2"}, {}, ("image",)),
        ({"image": None}, {}, ("image",)),
        ({"command": ["node", "other.js"]}, {}, ("command",)),
        ({"entrypoint": ["/entry"]}, {}, ("command",)),
        ({}, {"Config": {"Cmd": ["sh"]}}, ("command",)),
        ({"ports": []}, {}, ("ports",)),
        ({"ports": [{"target": 80, "published": "8081"}]}, {}, ("ports",)),
        ({"restart": "always"}, {}, ("restart",)),
        ({"restart": None, "deploy": {"restart_policy": {"condition": "any"}}}, {}, ("restart",)),
        ({"restart": None}, {"HostConfig": {"RestartPolicy": {"Name": ""}}}, ()),
        ({"networks": {"default": None, "front": None}}, {}, ("networks",)),
        ({"networks": None, "network_mode": "host"}, {}, ()),
        ({"volumes": []}, {}, ("mount /data", "mount /x")),
        ({"volumes": [], "volumes_from": ["db"]}, {}, ()),
        ({}, {"Mounts": MOUNTS[1:]}, ("mount /data",)),
        ({}, {"Mounts": [{**MOUNTS[0], "Name": "other_data"}, *MOUNTS[1:]]}, ("mount /data",)),
        ({}, {"Mounts": [MOUNTS[0], {**MOUNTS[1], "RW": True}, *MOUNTS[2:]]}, ("mount /x",)),
        ({}, {"Mounts": [*MOUNTS, {**MOUNTS[1], "Destination": "/app"}]}, ("mount /app",)),
    ],
)
def test_difference_is_named(service: dict[str, Any], held: dict[str, Any], told: tuple[str, ...]) -> None:
    """One change, one name."""
    names = differing(service, held)
    assert names == told
    assert SECRET not in str(names)


def test_container_whose_image_is_gone_is_judged_by_what_the_file_says() -> None:
    """What might have come from the image is left alone."""
    assert differing(image=None) == ()
    assert differing({"command": ["x"]}, image=None) == ("command",)
    assert differing({"environment": {}}, image=None) == ()


def test_hashes_are_read_as_compose_prints_them() -> None:
    """A service and its hash a line; warnings between are passed over."""
    assert parsed("app 12\ndb 34\n\ntime=now level=warning msg=x\n") == {"app": "12", "db": "34"}


@pytest.fixture
def compose(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Compose's answers as 2.26 gives them (its hash counts the dependencies), and what it was asked, by argv."""
    asked: list[str] = []

    def run(argv: tuple[str, ...], *, stdin: str = "", **_: Any) -> Completed:
        asked.append(" ".join(argv))
        services = json.loads(stdin)["services"] if stdin else {"app": {"depends_on": {"db": 1, "off": 1}}}
        lines = [f"{n} hash-{'-'.join(sorted(b.get('depends_on') or {}))}" for n, b in services.items()]
        return Completed(argv, 0, "\n".join(lines), "", 0.0)

    monkeypatch.setattr(config, "run_checked", run)
    monkeypatch.setattr(config, "rendered", lambda _: deepcopy(RENDERED))
    monkeypatch.setattr(config, "require_compose", lambda: "2.26.1-4")
    monkeypatch.setattr(config, "_image", lambda *_: IMAGE)
    yield asked
    assert SECRET not in " ".join(asked), "argv is seen by everyone"


def held_against(monkeypatch: pytest.MonkeyPatch, container: ContainerFact, **labels: str) -> ConfigFact:
    seen = deepcopy(HELD)
    seen["Config"]["Labels"] = {f"com.docker.compose.{k}": v for k, v in labels.items()}
    monkeypatch.setattr(config, "_inspected", lambda *_: seen)
    services = tuple(ServiceFact(name, name, "", "") for name in ("app", "db"))
    [fact] = configs(builders.target(), (container,), services)
    return fact


def container(config_hash: str) -> ContainerFact:
    return builders.container("app", config_hash=config_hash)


def test_same_hash_is_no_drift(compose: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One question suffices."""
    fact = held_against(monkeypatch, container("hash-db"))
    assert (fact.wanted, fact.actual, fact.differs) == ("hash-db", "hash-db", ())
    assert len(compose) == 1


@pytest.mark.parametrize(("depends_on", "made"), [("", "hash-"), ("off:service_started:false", "hash-off")])
def test_container_that_was_started_with_other_dependencies_is_no_drift(
    compose: list[str], monkeypatch: pytest.MonkeyPatch, depends_on: str, made: str
) -> None:
    """`up --no-deps`, and a profile that is not active now, make another hash of the same configuration."""
    monkeypatch.setitem(RENDERED["services"]["app"], "depends_on", {"db": {}, "off": {"required": False}})
    fact = held_against(monkeypatch, container(made), depends_on=depends_on)
    assert (fact.wanted, fact.differs) == (made, ())


def test_other_hash_is_drift_with_its_names(compose: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Named where it can be, else told as the configuration."""
    made_by = {"version": "2.26.1", "depends_on": "db:service_started:false"}
    assert held_against(monkeypatch, container("old"), **made_by).differs == ("configuration",)
    monkeypatch.setitem(RENDERED["services"]["app"], "image", "app:2")
    fact = held_against(monkeypatch, container("old"), **made_by)
    assert (fact.wanted, fact.actual, fact.differs) == ("hash-db", "old", ("image",))


def test_hash_of_another_compose_says_nothing_alone(compose: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes into the hash changes from version to version; what can be named still counts."""
    fact = held_against(monkeypatch, container("old"), version="2.20.0")
    assert (fact.wanted, fact.differs) == ("", ())
    monkeypatch.setitem(RENDERED["services"]["app"], "restart", "always")
    assert held_against(monkeypatch, container("old"), version="2.20.0").differs == ("restart",)


def test_container_of_no_service_is_left_out(compose: list[str]) -> None:
    """An orphan has nothing to be held against, and compose is not asked."""
    assert configs(builders.target(), (builders.container("stranger"),), ()) == ()
    assert compose == []


def test_compose_that_cannot_tell_is_an_error(compose: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is never taken for no drift."""

    def fails(*_: Any, **__: Any) -> None:
        raise CommandFailed("`docker compose config` ended with 1: no", "")

    monkeypatch.setattr(config, "run_checked", fails)
    with pytest.raises(CommandFailed):
        held_against(monkeypatch, container("x"))
