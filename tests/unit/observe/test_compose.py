"""Compose commands name project, folder and files; nothing is left to the environment."""

from __future__ import annotations

from pathlib import Path

import builders
import pytest

from drillbook.observe.compose import _service, compose_argv
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
    wanted = ServiceFact("app1", "connect-app1", "/opt/connect", "web.Dockerfile", (("connect_data", "/data"),))
    assert _service(config, "app1", body) == wanted


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
