"""Compose commands name project, folder and files; nothing is left to the environment."""

from __future__ import annotations

from pathlib import Path

import builders
import pytest

from drillbook.observe.compose import _ready, _service, alone, compose_argv, duration
from drillbook.observe.facts import ServiceFact


def stack(**more: object) -> dict[str, object]:
    return {"project": "connect", "directory": ".", **more}


def test_command_names_project_folder_and_files(tmp_path: Path) -> None:
    """The command is aimed by its words alone, so that it can be copied to a shell and does the same there."""
    files = ["compose.yaml", "production.yaml"]
    given = compose_argv(builders.target(tmp_path / "t.yaml", stack=stack(files=files)), "ps", "-a")
    assert given == (
        "docker", "compose", "-p", "connect", "--project-directory", str(tmp_path),
        "-f", f"{tmp_path}/compose.yaml", "-f", f"{tmp_path}/production.yaml", "ps", "-a",
    )  # fmt: skip


def test_env_file_is_given_when_the_target_names_one(tmp_path: Path) -> None:
    """A named env file is handed over by its whole path."""
    given = compose_argv(builders.target(tmp_path / "t.yaml", stack=stack(env_file="prod.env")), "ps")
    assert given[-3:] == ("--env-file", f"{tmp_path}/prod.env", "ps")


def test_staged_folder_borrows_the_deployed_env(tmp_path: Path) -> None:
    """Building elsewhere still reads the deployed folder's .env, which is no source and is not staged."""
    (tmp_path / ".env").write_text("PORT=8080\n")
    staging = tmp_path / "staging"
    given = compose_argv(builders.target(tmp_path / "t.yaml", stack=stack()), "build", directory=staging)
    assert given == (
        "docker", "compose", "-p", "connect", "--project-directory", str(staging),
        "-f", f"{staging}/compose.yaml", "--env-file", f"{tmp_path}/.env", "build",
    )  # fmt: skip


def test_services_as_compose_renders_them() -> None:
    """A service is told with its image, build context and named volumes; binds are not volumes."""
    body = {
        "build": {"context": "/opt/connect", "dockerfile": "web.Dockerfile"},
        "volumes": [
            {"type": "volume", "source": "data", "target": "/data"},
            {"type": "bind", "source": "/etc/x", "target": "/x"},
        ],
    }
    config = {"name": "connect", "volumes": {"data": {"name": "connect_data"}}}
    wanted = ServiceFact(
        "app1", "connect-app1", "/opt/connect", "web.Dockerfile", (("connect_data", "/data"),),
        alone="it writes to what is mounted at /data",
    )  # fmt: skip
    assert _service(config, "app1", body) == wanted


def test_service_tells_how_it_starts_and_stops() -> None:
    """Its grace period, how long its health check lets a start take, what it depends on, its fixed name."""
    check = {"test": ["CMD", "x"], "interval": "1s", "timeout": "5s", "retries": 5, "start_period": "20s"}
    depends = {"postgres": {"condition": "service_healthy", "required": True}, "redis": {"required": False}}
    fact = told({"stop_grace_period": "1m30s", "healthcheck": check, "depends_on": depends, "container_name": "app"})
    assert (fact.grace_seconds, fact.ready_seconds) == (90.0, 50.0)
    assert (fact.depends, fact.named) == (("postgres", "redis"), "app")
    bare = told({"image": "x", "depends_on": None, "healthcheck": None})
    assert (bare.grace_seconds, bare.ready_seconds, bare.depends, bare.named) == (10.0, 0.0, (), "")


PUBLISHED = {"mode": "ingress", "target": 80, "published": "8080", "protocol": "tcp"}
DATA = {"type": "volume", "source": "data", "target": "/data", "volume": {}}
BIND = {"type": "bind", "source": "/srv/x", "target": "/x", "bind": {"create_host_path": True}}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({}, ""),
        ({"ports": None, "networks": None, "volumes": None, "volumes_from": None}, ""),
        ({"ports": [{"target": 80, "protocol": "tcp"}], "expose": ["80"]}, ""),
        ({"ports": [{"target": 90}, PUBLISHED]}, "it publishes the host's port 8080"),
        ({"ports": [{**PUBLISHED, "published": "8000-8005"}]}, "it publishes the host's port 8000-8005"),
        ({"ports": [PUBLISHED], "scale": 3}, "it publishes the host's port 8080"),
        ({"container_name": "app"}, "its container has a fixed name, app"),
        ({"network_mode": "bridge"}, ""),
        ({"network_mode": "host"}, "its network is host"),
        ({"network_mode": "none"}, "its network is none"),
        ({"network_mode": "service:vpn"}, "its network is service:vpn"),
        ({"networks": {"default": {"aliases": ["app"]}, "back": None}}, ""),
        ({"networks": {"default": {"ipv4_address": "172.20.0.9"}}}, "it has a fixed address, 172.20.0.9"),
        ({"networks": {"default": None, "six": {"ipv6_address": "fd00::9"}}}, "it has a fixed address, fd00::9"),
        ({"networks": {"default": {"mac_address": "02:42:ac:11:65:43"}}}, "it has a fixed address, 02:42:ac:11:65:43"),
        ({"volumes_from": ["db:ro"]}, "it shares the volumes of db:ro"),
        ({"volumes": [DATA]}, "it writes to what is mounted at /data"),
        ({"volumes": [BIND]}, "it writes to what is mounted at /x"),
        ({"volumes": [{"type": "volume", "target": "/anon"}]}, "it writes to what is mounted at /anon"),
        (
            {"volumes": [{**DATA, "read_only": True}, {**BIND, "read_only": True}, {"type": "tmpfs", "target": "/t"}]},
            "",
        ),
        ({"volumes": [{**BIND, "read_only": True}, DATA]}, "it writes to what is mounted at /data"),
        ({"volumes": [DATA], "deploy": {"replicas": 2}}, ""),
        ({"volumes": [DATA], "scale": 1}, "it writes to what is mounted at /data"),
        ({"ports": [PUBLISHED], "container_name": "app", "volumes": [DATA]}, "it publishes the host's port 8080"),
    ],
)
def test_why_a_second_one_cannot_run_beside_the_first(body: dict[str, object], why: str) -> None:
    """A port, a name, a network or an address of its own, or what it writes to, unless it asks for several."""
    assert alone(body) == why
    assert told(body).alone == why


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5s", 5.0), ("1m30s", 90.0), ("1h2m3.5s", 3723.5), ("500ms", 0.5), ("250us", 0.00025), ("0s", 0.0),
        ("2h", 7200.0), (None, 10.0), ("", 10.0), ("soon", 10.0),
    ],
)  # fmt: skip
def test_durations_as_compose_renders_them(text: str | None, seconds: float) -> None:
    """In Go's own form; where none is told, what compose takes for it."""
    assert duration(text, 10.0) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("check", "seconds"),
    [
        ({}, 0.0),
        ({"disable": True, "interval": "5s"}, 0.0),
        ({"test": ["CMD", "x"]}, 180.0),
        ({"test": ["CMD", "x"], "interval": "1s", "timeout": "5s", "retries": 5}, 30.0),
        ({"test": ["CMD", "x"], "interval": "1s", "timeout": "5s", "retries": 5, "start_period": "20s"}, 50.0),
        ({"interval": "2s", "timeout": "3s", "retries": 0}, 15.0),
    ],
)
def test_longest_that_a_health_check_lets_a_start_take(check: dict[str, object], seconds: float) -> None:
    """Its start period and then every retry, by the engine's own defaults where the file says nothing."""
    assert _ready(check) == seconds


def told(body: dict[str, object]) -> ServiceFact:
    return _service({"name": "connect"}, "app1", body)


@pytest.mark.parametrize(
    ("body", "replicas"),
    [
        ({}, 1),
        ({"scale": 5}, 5),
        ({"scale": 0}, 0),
        ({"deploy": {"replicas": 0}}, 0),
        ({"deploy": {"replicas": 3}}, 3),
        ({"deploy": {"replicas": None}}, 1),
        ({"deploy": None, "scale": None}, 1),
    ],
)
def test_replicas_as_the_file_asks_for_them(body: dict[str, object], replicas: int) -> None:
    """By either key; none at all is an answer."""
    assert told(body).replicas == replicas


def test_build_is_told_with_its_arguments_target_and_caches() -> None:
    """An argument without a value is the builder's to fill in; a `$` is one again."""
    build = {
        "context": "/srv", "args": {"A": "1", "B": None, "C": "a$$b", "D": 2}, "target": "final",
        "cache_from": ["type=local,src=/x"], "cache_to": ["type=inline"],
    }  # fmt: skip
    fact = told({"build": build})
    assert fact.build_args == {"A": "1", "C": "a$b", "D": "2"}
    assert (fact.build_target, fact.cache_from, fact.cache_to) == ("final", ("type=local,src=/x",), ("type=inline",))
    assert fact.dockerfile == "Dockerfile"


def test_context_that_is_no_folder_is_told_as_it_is() -> None:
    """A git URL is no path, and a Dockerfile in the compose file has no name."""
    assert told({"build": {"context": "https://h/x.git#main:sub"}}).context == "https://h/x.git#main:sub"
    inline = told({"build": {"context": "/srv", "dockerfile_inline": "FROM a\nENV B=$$C\n"}})
    assert (inline.dockerfile, inline.dockerfile_inline) == ("", "FROM a\nENV B=$C\n")
    assert told({"image": "x"}).context == ""
