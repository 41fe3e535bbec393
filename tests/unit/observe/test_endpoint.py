"""Endpoints, asked on a real server on 127.0.0.1."""

from __future__ import annotations

import builders
import pytest
from servers import Site

from drillbook.observe.endpoint import BODY_LIMIT, ask, responses
from drillbook.target import Endpoint

BROKEN = "TypeError: Cannot read properties of undefined (reading 'findUnique')"


def endpoint(url: str, **more: object) -> Endpoint:
    return Endpoint.model_validate({"url": url, **more})


def test_answer_tells_status_body_and_build(site: Site) -> None:
    """A good answer is told with its status and, where the target names the keys, its build."""
    told = endpoint(f"{site.url}/good", build_id="build", source_digest="sources")
    fact = ask("matches", told, told.url)
    assert (fact.status, fact.expected_status, fact.build_id, fact.source_digest) == (200, 200, "b1", "abc")
    assert fact.error == ""


def test_failing_answer_is_quoted(site: Site) -> None:
    """A 500 is a fact with its body, not an error."""
    fact = ask("matches", endpoint(f"{site.url}/broken"), f"{site.url}/broken")
    assert (fact.status, fact.body) == (500, BROKEN)


@pytest.mark.parametrize("path", ["/list", "/broken"])
def test_answer_without_the_keys_tells_no_build(site: Site, path: str) -> None:
    """An answer that is not the expected JSON tells no build."""
    assert ask("build", endpoint(f"{site.url}{path}", build_id="build"), f"{site.url}{path}").build_id == ""


def test_long_answer_is_cut(site: Site) -> None:
    """A long answer is kept only as far as a person would read."""
    assert len(ask("long", endpoint(f"{site.url}/long"), f"{site.url}/long").body) == BODY_LIMIT


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://no-such-host.invalid/", "http://[::1", "ftp://x/", "x"])
def test_silence_is_a_fact(url: str) -> None:
    """Where nothing answers, status is 0 and the reason is told; nothing is raised."""
    fact = ask("matches", endpoint(url), url)
    assert fact.status == 0
    assert fact.error


def test_slow_answer_is_silence(site: Site) -> None:
    """An answer that takes longer than the endpoint's timeout is none."""
    fact = ask("slow", endpoint(f"{site.url}/slow", timeout_seconds=0.2), f"{site.url}/slow")
    assert (fact.status, "Timeout" in fact.error) == (0, True)


def test_every_endpoint_of_a_target_is_asked(site: Site) -> None:
    """Each endpoint of the target has one answer, under its name."""
    target = builders.target(
        endpoints={"a": {"url": f"{site.url}/good"}, "b": {"url": f"{site.url}/broken", "status": 500}}
    )
    assert [(fact.endpoint, fact.status, fact.expected_status) for fact in responses(target)] == [
        ("a", 200, 200),
        ("b", 500, 500),
    ]
