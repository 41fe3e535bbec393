"""What the unit tests share: a real PostgreSQL server, reached by its socket."""

from __future__ import annotations

import os
from functools import cache

import pytest
from postgres import database, postgres_server, target
from s3 import bucket

from drillbook.act import install

__all__ = ["bucket", "database", "postgres_server", "target"]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without an engine the few tests are skipped that ask one, and say so."""
    if item.get_closest_marker("docker") and not _engine():
        pytest.skip("no container engine answers: make engine")


@cache
def _engine() -> bool:
    return os.environ.get("ENGINE") != "embedded" and bool(install.answers())
