"""Containers that nothing runs in: gone at the end, and swept when their process was killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
from engine_images import made, needs_engine, run
from ghost import ghost_owner

import checkout
from drillbook.observe.helper import LABEL, helper, sweep

pytestmark = needs_engine
IMAGE = checkout.project("drillbook-test-helper")
COMPOSED = 'FROM scratch\nCOPY . /app\nLABEL com.docker.compose.project="connect"\n'
KILLED = """
import os, signal, sys
import docker
from drillbook.observe.helper import helper
with helper(docker.from_env().api, sys.argv[1], "killed") as made:
    print(made, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def image(tmp_path: Path) -> Iterator[str]:
    """An image as compose builds one: with the project's label."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/a.js").write_text("a")
    yield made(IMAGE, tmp_path / "site", COMPOSED)
    run("docker", "image", "rm", "-f", IMAGE)


@pytest.fixture
def api() -> Any:
    return docker.from_env().api


def there(api: Any, container: str) -> bool:
    return any(row["Id"] == container for row in api.containers(all=True))


def test_helper_never_starts_and_is_gone_at_the_end(api: Any, image: str) -> None:
    """Whatever the label that its image hands down, it is no container of a compose project."""
    with helper(api, image, "test") as container:
        seen = api.inspect_container(container)
        assert (seen["State"]["Status"], seen["Config"]["Labels"][LABEL]) == ("created", "test")
        assert seen["Config"]["Labels"]["com.docker.compose.project"] == ""
        assert container not in sweep(api)
    assert not there(api, container)


def test_helper_of_a_killed_process_is_swept_by_the_next(api: Any, image: str) -> None:
    """No finally runs after kill -9; the next helper of anybody takes it away, and only it."""
    done = subprocess.run([sys.executable, "-c", KILLED, image], capture_output=True, text=True, check=False)
    assert done.returncode == -9
    left = done.stdout.strip()
    assert there(api, left)
    with helper(api, image, "test") as container:
        assert not there(api, left)
        assert there(api, container)


def test_helper_that_tells_no_owner_is_left_alone(api: Any, image: str) -> None:
    """Of one without marks nobody knows whether its process runs; unknown is not gone."""
    bare = api.create_container(image, command=["true"], labels={LABEL: "digest"})["Id"]
    try:
        assert bare not in sweep(api)
        assert there(api, bare)
    finally:
        api.remove_container(bare)


class Half:
    """An engine with one helper of a dead process, whose removal ends with *status*."""

    def __init__(self, status: int) -> None:
        self.status = status

    def containers(self, **_how: Any) -> list[dict[str, Any]]:
        labels = {f"{LABEL}.{name}": value for name, value in ghost_owner().items()}
        return [{"Id": "left", "Labels": {LABEL: "digest", **labels}}]

    def remove_container(self, _key: str, **_how: Any) -> None:
        response = requests.Response()
        response.status_code = self.status
        raise docker.errors.APIError("removal", response)


@pytest.mark.parametrize("status", [404, 409])
def test_helper_that_another_process_sweeps_is_left_to_it(status: int) -> None:
    """It is gone, or is going: nothing of ours is wrong, and it is not told as removed by us."""
    assert sweep(Half(status)) == []


def test_helper_that_the_engine_does_not_remove_is_an_error() -> None:
    """Any other answer is told."""
    with pytest.raises(docker.errors.APIError):
        sweep(Half(500))
