"""The copy's compose file: everything that makes a service what it is, and nothing of the target's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import builders
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.decide.rehearse_config import Config, Copied, copied
from drillbook.decide.rehearse_making import Making, is_copy, project_name
from drillbook.decide.rehearse_mounts import below
from drillbook.decide.rehearse_service import KEPT, MADE, beyond
from drillbook.observe.compose import alone

COPY, DIRECTORY = "connect-rehearsal-0a1b2c", builders.DIRECTORY
LABELS = {"drillbook.rehearsal": "x"}


def making(*there: str, **changes: Any) -> Making:
    """How a copy of `connect` is made; services in *there* are healthy on the target."""
    parts: dict[str, Any] = {
        "project": COPY, "directory": DIRECTORY, "source": "/copy/source", "scratch": "/copy/scratch",
        "labels": LABELS, "subnets": {"default": "10.9.0.0/24", "front": "10.8.0.0/24", "back": "10.7.0.0/24"},
        "there": {name: (builders.container(name),) for name in there or ("app", "db", "proxy")},
    }  # fmt: skip
    return Making(**{**parts, **changes})


def config(**services: Any) -> dict[str, Any]:
    """A compose file with these services, as compose renders it."""
    return {
        "name": "connect", "services": services, "networks": {"default": {"name": "connect_default"}},
        "volumes": {"data": {"name": "connect_data", "driver_opts": {"device": "/srv/data", "type": "none"}}},
    }  # fmt: skip


def one(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The service `app` of the copy."""
    found: dict[str, Any] = copied(config(app=body), making(**changes)).config["services"]["app"]
    return found


def leaves(value: Any) -> Iterator[str]:
    """Every key and every plain value in a nest, as text."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield str(key)
            yield from leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part)
    elif value is not None:
        yield str(value)


REAL = st.text("abcxyz", min_size=4, max_size=9)


@st.composite
def targets(draw: st.DrawFn) -> tuple[Config, set[str]]:
    """A compose file, and every name, port, path and tag in it that is the target's own. Each begins with `real`."""
    own: set[str] = set()

    def mine(shape: str = "{}") -> str:
        own.add(made := shape.format(f"real{len(own)}{draw(REAL)}"))
        return made

    def port() -> str:
        own.add(made := str(40_000 + len(own)))
        return made

    keys = draw(st.lists(st.sampled_from(["default", "front", "back"]), min_size=1, unique=True))
    volumes = draw(st.lists(st.sampled_from(["data", "cache"]), unique=True))
    services = {}
    for name in draw(st.lists(st.sampled_from(["app", "db", "proxy", "job"]), min_size=1, unique=True)):
        body: dict[str, Any] = {
            "image": mine("registry.example.com/{}:7"), "container_name": mine(), "labels": {mine(): mine()},
            "ports": [{"mode": "host", "target": 80, "published": port(), "host_ip": mine("10.{}"), "protocol": "tcp"}],
            "networks": {key: {"ipv4_address": mine("172.{}"), "aliases": ["app"]} for key in keys},
            "volumes": [{"type": "volume", "source": key, "target": f"/{key}"} for key in volumes],
            "build": {"context": DIRECTORY, "tags": [mine()], "cache_to": [mine()], "labels": {mine(): "1"}},
            "external_links": [mine()], "devices": [{"source": mine("/dev/{}"), "target": "/dev/x"}],
            "logging": {"driver": mine(), "options": {"address": mine()}}, "dns": [mine()], "restart": mine(),
            "cgroup_parent": mine(), "mac_address": mine(), "a-key-of-tomorrow": mine(),
            "deploy": {"replicas": 2, "labels": {mine(): mine()}, "placement": {"constraints": [mine()]}},
        }  # fmt: skip
        body["volumes"].append({"type": "bind", "source": mine("/srv/{}"), "target": "/written"})
        left_out = draw(st.sets(st.sampled_from(["ports", "container_name", "networks", "volumes", "deploy"])))
        services[name] = {key: value for key, value in body.items() if key not in left_out}
    networks = {key: {"name": mine(), "external": draw(st.booleans()), "ipam": {"config": [mine()]}} for key in keys}
    told = {
        key: {"name": mine(), "driver_opts": {"device": mine("/srv/{}")}, "labels": {mine(): "1"}} for key in volumes
    }
    secrets = {"password": {"name": mine(), "file": "/etc/connect/password"}}
    whole = {"name": mine(), "services": services, "networks": networks, "volumes": told, "secrets": secrets}
    return whole, own


@given(targets())
def test_nothing_of_the_target_s_own_is_in_the_copy(told: tuple[Config, set[str]]) -> None:
    """No volume, network, container name, port, address, image, label, device, log or written bind of it."""
    found = copied(told[0], making("app", "db", "proxy", "job"))
    assert set(leaves(found.config)) & told[1] == set()
    assert set(found.config["services"]) == set(told[0]["services"])


@given(targets())
def test_the_copy_is_replaced_the_way_the_target_is(told: tuple[Config, set[str]]) -> None:
    """What keeps a second container from running beside the first keeps it in the copy too: the plans are the same."""
    found = copied(told[0], making())
    for name, body in told[0]["services"].items():
        assert bool(alone(found.config["services"][name])) == bool(alone(body)), alone(body)


def test_what_makes_a_service_is_taken_over_as_it_is() -> None:
    """Command, environment, health check, secrets, limits; never a value is rewritten."""
    body = {"command": ["run"], "environment": {"MAIL": "smtp://mail.example.com"}, "user": "1000",
            "healthcheck": {"test": ["CMD", "x"]}, "secrets": [{"source": "password"}], "mem_limit": "1g"}  # fmt: skip
    assert one(body).items() >= body.items()
    assert KEPT.isdisjoint(MADE)


def test_a_port_is_the_engine_s_to_choose() -> None:
    """One that was published stays published, on the loopback, so that the service is replaced in place here too."""
    ports = [{"mode": "ingress", "target": 80, "published": "8080", "protocol": "tcp"}, {"target": 9000}]
    found = one({"ports": ports})["ports"]
    assert found[0] == {"mode": "ingress", "target": 80, "protocol": "tcp", "host_ip": "127.0.0.1", "published": "0"}
    assert found[1] == {"target": 9000}


def test_a_fixed_name_is_another_one() -> None:
    """Only one container can have it, here as there."""
    assert one({"container_name": "web"})["container_name"] == f"{COPY}-web"


def test_a_service_that_publishes_has_an_address_that_stays() -> None:
    """It is asked there before and after it is replaced; every other one has none of its own, for two may run."""
    bodies = {"app": {}, "proxy": {"ports": [{"target": 80, "published": "8080"}]},
              "db": {"networks": {"front": {"ipv4_address": "172.18.0.9"}}}}  # fmt: skip
    found = copied(config(**bodies), making())
    assert found.addresses == {"db": "10.8.0.254", "proxy": "10.9.0.253"}
    assert found.config["services"]["app"]["networks"] == {"default": {}}


def test_a_build_is_staged_from_the_copy_s_own_folder() -> None:
    """Contexts are relative, so that the clean context is built; no tag and no cache of the target's is written."""
    build = {"context": f"{DIRECTORY}/scraper", "args": {"A": "1"}, "tags": ["connect:released"], "cache_to": ["x"],
             "additional_contexts": {"lib": f"{DIRECTORY}/lib", "base": "docker-image://debian"}}  # fmt: skip
    assert one({"build": build})["build"] == {
        "context": "./scraper", "args": {"A": "1"}, "labels": LABELS,
        "additional_contexts": {"lib": "./lib", "base": "docker-image://debian"},
    }  # fmt: skip


def mount(source: str, **more: Any) -> dict[str, Any]:
    return {"type": "bind", "source": source, "target": "/there", **more}


def test_binds() -> None:
    """Read-only stays; what is written to gets a place of the copy's own. Each that is unlike is told."""
    told = [mount("/etc/app", read_only=True), mount(f"{DIRECTORY}/uploads"), mount("/srv/files/")]
    found = copied(config(app={"volumes": told}), making())
    sources = [m["source"] for m in found.config["services"]["app"]["volumes"]]
    assert sources == ["/etc/app", "/copy/source/uploads", "/copy/scratch/srv_files"]
    assert found.scratch == {"/copy/source/uploads": f"{DIRECTORY}/uploads", "/copy/scratch/srv_files": "/srv/files/"}
    assert list(found.unlike) == [f"{DIRECTORY}/uploads", "/srv/files/"]


def test_binds_that_lead_out() -> None:
    """Read-only ones are left out; the place of a written one is empty, for who writes somewhere is replaced alone."""
    told = [mount("/run/x.sock", read_only=True), mount("/run/y.sock"), mount(f"{DIRECTORY}/run")]
    out = frozenset({"/run/x.sock", "/run/y.sock", f"{DIRECTORY}/run"})
    found = copied(config(app={"volumes": told}), making(leads_out=out))
    sources = [m["source"] for m in found.config["services"]["app"]["volumes"]]
    assert sources == ["/copy/scratch/run_y.sock", "/copy/scratch/opt_connect_run"]
    assert set(found.unlike) == out
    assert alone(found.config["services"]["app"])


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"privileged": True}, "it is privileged"),
        ({"network_mode": "host"}, "its network_mode is host"),
        ({"network_mode": "container:connect-db-1"}, "its network_mode is container:connect-db-1"),
        ({"pid": "host"}, "its pid is host"),
        ({"ipc": "host"}, "its ipc is host"),
        ({"userns_mode": "host"}, "its userns_mode is host"),
        ({"cap_add": ["NET_ADMIN", "cap_sys_rawio"]}, "it has the capability SYS_RAWIO"),
    ],
)
def test_what_cannot_be_cut_off_is_left_out(body: dict[str, Any], why: str) -> None:
    """And nobody in the copy waits for it."""
    rest = {"depends_on": {"app": {"condition": "service_started"}}, "links": ["app:agent", "proxy"]}
    found = copied(config(app=body, db=rest, proxy={}), making())
    assert found.left_out == {"app": why}
    assert sorted(found.config["services"]) == ["db", "proxy"]
    assert "depends_on" not in found.config["services"]["db"]
    assert found.config["services"]["db"]["links"] == ["proxy"]


@pytest.mark.parametrize("body", [{}, {"network_mode": "none"}, {"network_mode": "bridge"}, {"pid": "service:db"}])
def test_what_can_be_cut_off(body: dict[str, Any]) -> None:
    """The engine's default network is a way out: in the copy it is a network of its own."""
    assert beyond(body) == ""
    if body.get("network_mode") == "bridge":
        assert one(body)["networks"] == {"default": {}}
        assert "network_mode" not in one(body)


def depends(condition: str, **there: Any) -> str:
    """The condition on which `app` waits for `db` in the copy, with *there* for db's container on the target."""
    body = {"depends_on": {"db": {"condition": f"service_{condition}"}}}
    containers = {"app": (builders.container(),), "db": (builders.container("db", **there),)}
    found = copied(config(app=body, db={}), making(there=containers)).config["services"]["app"]["depends_on"]
    return str(found["db"]["condition"])


def test_nobody_waits_for_what_is_unwell_on_the_target() -> None:
    """The copy starts as the target is: a database that is unhealthy there would else hold it up for ever."""
    assert depends("healthy") == "service_healthy"
    assert depends("healthy", health="unhealthy") == "service_started"
    assert depends("completed_successfully", running=False) == "service_completed_successfully"
    assert depends("completed_successfully", running=False, exit_code=1) == "service_started"


def test_services_that_share_an_image_share_it_in_the_copy() -> None:
    """And two whose names differ in nothing that a tag can hold do not."""
    found = copied(config(app={"image": "a:1"}, job={"image": "a:1"}, **{"x_y": {}, "x.y": {}}), making())
    assert found.images["app"] == found.images["job"] == f"{COPY}-app"
    assert len({found.images["x_y"], found.images["x.y"]}) == 2


def test_what_stays_behind_is_told() -> None:
    """A key that we do not know may lead out: it is not taken, and the plan says so."""
    found: Copied = copied(config(app={"devices": [{"source": "/dev/tty"}], "gpus": "all", "ports": []}), making())
    assert found.unlike == {"app": "without devices, gpus"}


def test_names_of_copies() -> None:
    """Short enough for compose, and told from every other project's."""
    long = project_name("x" * 80, "0a1b2c")
    assert len(long) <= 63
    assert is_copy(long)
    assert is_copy(project_name("connect", "0a1b2c"))
    assert not is_copy("connect")
    assert not is_copy("rehearsal-try")
    assert project_name("my_", "0a1b2c") == "my-rehearsal-0a1b2c"


def test_below() -> None:
    """A folder is not below one whose name begins alike."""
    assert below("/opt/connect/a/", "/opt/connect") == "a"
    assert below("/opt/connect", "/opt/connect/") == "."
    assert below("/opt/connect2/a", "/opt/connect") is None
    assert below("/opt/connect/../x", "/opt/connect") is None
