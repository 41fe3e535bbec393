"""Endpoints: what a URL answers, through the proxy and straight at each replica."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

from drillbook.observe.facts import ContainerFact, ResponseFact
from drillbook.target import Endpoint, Target

if TYPE_CHECKING:
    import httpx

BODY_LIMIT = 2000
READ_LIMIT = 1 << 20
"""No more bytes of an answer are read; what tells a build is far smaller."""
TELLING = (
    "age", "cache-control", "etag", "last-modified", "expires", "via", "x-cache", "x-cache-status", "x-varnish",
    "cf-cache-status", "x-proxy-cache", "server", "date", "vary",
)  # fmt: skip
"""Headers that tell of caches between the answer and who asked."""
LEAST_TIMES = 4
PATIENCE = 2
"""An endpoint that is asked several times is asked for at most so many of its timeouts."""
STRAIGHT = {"Cache-Control": "no-cache"}


def responses(target: Target, containers: Sequence[ContainerFact] = ()) -> tuple[ResponseFact, ...]:
    """What each endpoint answers as users ask it, then what each running replica answers when asked straight.

    An endpoint that tells its build is asked several times, so that every replica behind the proxy can
    answer; each different answer is one fact. Sends GETs only; never raises for an answer.
    """
    _client()  # made once, before the threads ask for it all at once
    replicas = _replicas(target, containers)
    times = max(LEAST_TIMES, 2 * len(replicas))
    build = next((e for e in target.endpoints.values() if e.build_id or e.source_digest), None)
    with ThreadPoolExecutor(max_workers=8, thread_name_prefix="endpoint") as pool:
        through = [pool.submit(_through_proxy, key, endpoint, times) for key, endpoint in target.endpoints.items()]
        straight = [pool.submit(ask, f"build@{c.name}", build, url, c.service, c.name) for c, url in replicas if build]
        return (*(fact for job in through for fact in job.result()), *(job.result() for job in straight))


def _replicas(target: Target, containers: Iterable[ContainerFact]) -> list[tuple[ContainerFact, str]]:
    """The running containers that can be asked straight, each with its URL."""
    services = target.stack.services if target.stack else {}
    there = [(c, services[c.service].response) for c in containers if c.service in services]
    return [(c, url.replace("{address}", c.address)) for c, url in there if url and c.running and c.address]


def _through_proxy(key: str, endpoint: Endpoint, times: int) -> tuple[ResponseFact, ...]:
    """One fact for each different answer, the first seen first."""
    if not (endpoint.build_id or endpoint.source_digest):
        return (ask(key, endpoint, endpoint.url),)
    end = time.monotonic() + PATIENCE * endpoint.timeout_seconds
    seen = dict[tuple[int, str, str], ResponseFact]()
    for number in range(times):
        if number and time.monotonic() > end:
            break
        fact = ask(key, endpoint, endpoint.url)
        kind = (fact.status, fact.build_id, fact.source_digest)
        seen[kind] = replace(seen[kind], times=seen[kind].times + 1) if kind in seen else fact
    return tuple(seen.values())


@lru_cache(maxsize=1)
def _client() -> httpx.Client:
    """One client for all: making one costs more than an answer.

    No proxy of the environment, no kept connection, no cookie that would bind us to one replica.
    """
    import httpx

    no_cookies = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
    return httpx.Client(trust_env=False, headers={"Connection": "close"}, cookies=no_cookies)


def ask(key: str, endpoint: Endpoint, url: str, via: str = "proxy", replica: str = "") -> ResponseFact:
    """What *url* answers to one GET within the endpoint's timeout."""
    import httpx

    _client()  # whose making is no part of the answer's time
    started = time.monotonic()
    try:
        answer, content = fetch(url, endpoint.timeout_seconds, {} if via == "proxy" else STRAIGHT)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        seconds = time.monotonic() - started
        why = f"{type(error).__name__}: {error}"
        return ResponseFact(key, url, 0, endpoint.status, "", seconds, why, via=via, replica=replica)
    told = _json(content)
    return ResponseFact(
        endpoint=key,
        url=url,
        status=answer.status_code,
        expected_status=endpoint.status,
        body=_text(content, answer.charset_encoding)[:BODY_LIMIT],
        seconds=time.monotonic() - started,
        build_id=str(told.get(endpoint.build_id, "")) if endpoint.build_id else "",
        source_digest=str(told.get(endpoint.source_digest, "")) if endpoint.source_digest else "",
        via=via,
        replica=replica,
        headers={name: answer.headers[name] for name in TELLING if name in answer.headers},
    )


def fetch(url: str, timeout: float, headers: dict[str, str]) -> tuple[httpx.Response, bytes]:
    """The answer and as much of its body as is of use. A body that drips past the timeout is no answer."""
    import httpx

    end, content = time.monotonic() + timeout, b""
    with _client().stream("GET", url, timeout=timeout, headers=headers) as answer:
        for chunk in answer.iter_bytes():
            content += chunk
            if len(content) >= READ_LIMIT:
                break
            if time.monotonic() > end:
                raise httpx.ReadTimeout(f"the answer was not whole after {timeout:g} s")
    return answer, content[:READ_LIMIT]


def _text(content: bytes, charset: str | None) -> str:
    try:
        return content.decode(charset or "utf-8", errors="replace")
    except LookupError:
        return content.decode("utf-8", errors="replace")


def _json(content: bytes) -> dict[str, Any]:
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
