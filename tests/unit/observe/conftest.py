"""What the tests of observing share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import docker
import pytest
from servers import Site, serving


@pytest.fixture
def site() -> Iterator[Site]:
    """A real HTTP server on 127.0.0.1."""
    with serving() as there:
        yield there


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A client of the engine, for what is marked `needs_engine`."""
    found = docker.from_env()
    yield found
    found.close()
