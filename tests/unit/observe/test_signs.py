"""Signs are read from answers and access logs."""

from __future__ import annotations

import builders
import pytest

from drillbook.observe.signs import STATUS, _endpoints


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ('127.0.0.1 - - [10/Oct/2025:13:55:36 +0000] "GET /api/x HTTP/1.1" 500 2326 "-" "curl"', "500"),
        ("2025-10-13T02:00:00+00:00 GET /api/matches/generate?a=1 HTTP/1.1 502 172.18.0.5:3000 500 0.02", "502"),
        ("GET /x 204 - 3 ms", "204"),
        ("listening on 3000", None),
        ("took 500 ms", None),
    ],
)
def test_the_status_of_a_line(line: str, status: str | None) -> None:
    """The usual formats of access logs tell their status; a number elsewhere is none."""
    found = STATUS.search(line)
    assert (found[1] if found else None) == status


def test_one_endpoint_that_always_fails_is_not_hidden_by_others() -> None:
    """The share is an endpoint's own."""
    good = builders.answer(endpoint="health", times=9)
    bad = builders.answer(status=500)
    assert max(_endpoints([good, bad])) == (100.0, 1, "endpoint matches")
