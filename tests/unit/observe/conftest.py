"""What the tests of observing share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from servers import Site, serving


@pytest.fixture
def site() -> Iterator[Site]:
    """A real HTTP server on 127.0.0.1."""
    with serving() as there:
        yield there
