"""The practice stack of a worker: made once, healed where a test broke it, with a proven backup to copy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rounds import take_backup, take_drill
from shell import described
from there import of_project

import checkout
from drillbook.act import sandbox as stack
from drillbook.act.site import Site
from drillbook.target import load_target

PROJECT, PORT = checkout.project("drilltest"), checkout.port(18080)


@pytest.fixture(scope="package")
def sandbox(engine: Any) -> Iterator[Site]:
    """The sandbox `drilltest` on a port of its own, taken down after the last test of this folder.

    Left standing it would cost a quarter of a core: its health checks are processes.
    """
    stack.up(PROJECT, PORT)
    yield Site(PROJECT)
    if PROJECT in stack.all_sandboxes():
        stack.down(PROJECT)


@dataclass
class Health:
    """Whether the sandbox is known to be as `up` leaves it; what may change it forgets that."""

    known: bool = False

    def restore(self) -> None:
        """Bring the sandbox to its baseline, unless it is there."""
        if not self.known:
            stack.up(PROJECT, PORT)
        self.known = True


@pytest.fixture(scope="package")
def health(sandbox: Site) -> Health:
    return Health()


@pytest.fixture
def healthy(sandbox: Site, health: Health) -> Site:
    """The sandbox, healthy at its baseline however the test before left it."""
    health.restore()
    health.known = False
    return sandbox


@pytest.fixture
def looked_at(sandbox: Site, health: Health, engine: Any) -> Iterator[Site]:
    """The healthy sandbox, for a test that changes nothing of it: the next one need not heal it."""
    health.restore()
    before = _containers(engine)
    yield sandbox
    if health.known:
        assert _containers(engine) == before, "the test changed what it was to look at"


def _containers(engine: Any) -> set[tuple[str, str, str]]:
    return {(c.id, c.status, c.attrs["State"]["StartedAt"]) for c in of_project(engine, PROJECT)}


@pytest.fixture(scope="package")
def proven_vaults() -> dict[str, Path]:
    """Password of the sandbox's database → a vault with one proven backup, of which tests take copies."""
    return {}


@pytest.fixture
def proven_vault(
    sandbox: Site, health: Health, proven_vaults: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A vault with one proven backup of the healthy sandbox; made again where the sandbox was, with its password."""
    health.restore()
    password = sandbox.password_file.read_text()
    if password not in proven_vaults:
        folder = tmp_path_factory.mktemp("proven")
        target = load_target(str(described(sandbox, folder)))
        assert take_drill(target, take_backup(target))["verdict"] == "pass"
        proven_vaults[password] = folder / "vault"
    return proven_vaults[password]
