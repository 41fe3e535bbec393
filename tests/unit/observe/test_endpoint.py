"""Endpoints, asked on a real server on 127.0.0.1."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import builders
import pytest
from servers import Site

from drillbook.observe.endpoint import BODY_LIMIT, ask, responses
from drillbook.target import Endpoint, Target

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
    """Each endpoint of the target has one answer, under its name, in the order of the target's file."""
    target = builders.target(
        endpoints={"a": {"url": f"{site.url}/good"}, "b": {"url": f"{site.url}/broken", "status": 500}}
    )
    assert [(fact.endpoint, fact.status, fact.expected_status, fact.times) for fact in responses(target)] == [
        ("a", 200, 200, 1),
        ("b", 500, 500, 1),
    ]
    assert responses(builders.target(endpoints={})) == ()


@contextmanager
def answering(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server of one answer: its address, and the headers that it was asked with."""
    asked: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append({name.lower(): value for name, value in self.headers.items()})
            with suppress(OSError):
                answer(self)

        def log_message(self, *args: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", asked
        server.shutdown()


def giving(body: bytes, status: int = 200, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def give(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return give


def balanced() -> Callable[[BaseHTTPRequestHandler], None]:
    """Two replicas in turn, of different builds, behind a proxy that would keep one to whoever has its cookie."""
    turn = count()

    def give(handler: BaseHTTPRequestHandler) -> None:
        old = next(turn) % 2 or "replica=old" in handler.headers.get("Cookie", "")
        giving(b'{"build": "%s"}' % (b"old" if old else b"new"), Set_Cookie="replica=old; Path=/")(handler)

    return give


def stack(address: str, **endpoints: object) -> Target:
    services = {"app1": {"response": "http://{address}/__build"}, "quiet": {}}
    return builders.target(
        stack={"project": "connect", "directory": ".", "services": services},
        endpoints={"plain": {"url": f"http://{address}/"}, "build": {"url": f"http://{address}/", **endpoints}},
    )


def test_every_replica_behind_the_proxy_has_its_say() -> None:
    """An endpoint that tells its build is asked again and again, without cookies: one fact for each answer."""
    with answering(balanced()) as (address, asked):
        facts = responses(stack(address, build_id="build"))
    told = {f.build_id: f.times for f in facts if f.endpoint == "build"}
    assert set(told) == {"new", "old"}
    assert sum(told.values()) == 4
    assert not [headers for headers in asked if "cookie" in headers]


def test_each_running_replica_is_asked_straight() -> None:
    """By its own address, past every cache; one that does not run, has no address or tells nothing is not asked."""
    with answering(giving(b'{"build": "b1"}')) as (address, asked):
        containers = [
            builders.container("app1", name="connect-app1-1", address=address),
            builders.container("app1", name="connect-app1-2", address=address),
            builders.container("app1", name="connect-app1-3", address=address),
            builders.container("app1", name="stopped", running=False, address=address),
            builders.container("app1", name="starting", address=""),
            builders.container("quiet", address=address),
            builders.container("stranger", address=address),
        ]
        facts = responses(stack(address, build_id="build"), containers)
    straight = [(f.endpoint, f.via, f.replica, f.build_id) for f in facts if f.via != "proxy"]
    assert straight == [(f"build@connect-app1-{n}", "app1", f"connect-app1-{n}", "b1") for n in (1, 2, 3)]
    assert [f.times for f in facts if f.endpoint == "build"] == [6], "twice as often as there are replicas"
    assert sum(headers.get("cache-control") == "no-cache" for headers in asked) == 3, "users do not ask so"


def test_headers_that_tell_of_caches_are_kept() -> None:
    """In small letters, and no other header."""
    give = giving(b"{}", Age="12", X_Cache="HIT", Set_Cookie="secret=1", ETag="x", Authorization="secret")
    with answering(give) as (address, _):
        fact = ask("a", endpoint(f"http://{address}/"), f"http://{address}/")
    assert {"age": "12", "x-cache": "HIT", "etag": "x"}.items() <= fact.headers.items()
    assert "secret" not in str(fact.headers)


@pytest.mark.parametrize(
    "give",
    [
        giving(b"\xff\xfe\x00\x80 caf\xe9"),
        giving(b"caf\xe9", Content_Type="text/html; charset=latin-1"),
        giving(b"caf\xe9", Content_Type="text/html; charset=no-such-thing"),
        giving(b'{"build": ' + b"[" * 100_000),
        giving(b"", status=204),
        giving(b"no gzip", Content_Encoding="gzip"),
        lambda handler: handler.wfile.write(b"nonsense\r\n\r\n"),
        lambda handler: handler.wfile.write(b"HTTP/1.0 200 \xff\r\nX-Cache: \xff\xfe\r\nContent-Length: 9\r\n\r\nab"),
    ],
)
def test_odd_answer_is_a_fact(give: Callable[[BaseHTTPRequestHandler], None]) -> None:
    """Bytes that are no text, a charset that is none, an answer that is not HTTP: told, never raised."""
    with answering(give) as (address, _):
        fact = ask("a", endpoint(f"http://{address}/", build_id="build"), f"http://{address}/")
    assert fact.status in (0, 200, 204)
    assert bool(fact.error) == (fact.status == 0)


def test_answer_that_drips_is_silence() -> None:
    """Each byte comes in time, the whole does not: the endpoint's timeout is for all of it."""

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x")
            time.sleep(0.05)

    with answering(drip) as (address, _):
        fact = ask("a", endpoint(f"http://{address}/", timeout_seconds=0.3), f"http://{address}/")
    assert (fact.status, "not whole" in fact.error) == (0, True)


def test_endless_answer_is_read_no_further_than_is_of_use() -> None:
    """A stream without an end has a status and a beginning."""

    def pour(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)

    with answering(pour) as (address, _):
        fact = ask("a", endpoint(f"http://{address}/"), f"http://{address}/")
    assert (fact.status, len(fact.body)) == (200, BODY_LIMIT)


def test_silent_endpoint_is_not_asked_for_ever() -> None:
    """Two of its timeouts are enough to know."""
    with answering(lambda _: time.sleep(0.6)) as (address, _):
        facts = responses(stack(address, build_id="build", timeout_seconds=0.2))
    [silent] = [f for f in facts if f.endpoint == "build"]
    assert (silent.status, silent.times in (1, 2)) == (0, True)
