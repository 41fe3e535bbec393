"""Endpoints: what a URL answers, through the proxy and straight at each replica."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from drillbook.observe.facts import ResponseFact
from drillbook.target import Endpoint, Target

if TYPE_CHECKING:
    import httpx

BODY_LIMIT = 2000


def responses(target: Target) -> tuple[ResponseFact, ...]:
    """One answer for each of the target's endpoints. Sends one GET to each; never raises for an answer."""
    return tuple(ask(key, endpoint, endpoint.url) for key, endpoint in target.endpoints.items())


@lru_cache(maxsize=1)
def _client() -> httpx.Client:
    """One client for all: making one costs more than an answer. No proxy of the environment, no kept connection."""
    import httpx

    return httpx.Client(trust_env=False, headers={"Cache-Control": "no-cache", "Connection": "close"})


def ask(key: str, endpoint: Endpoint, url: str, via: str = "proxy") -> ResponseFact:
    """What *url* answers to one GET within the endpoint's timeout."""
    import httpx

    started = time.monotonic()
    try:
        answer = _client().get(url, timeout=endpoint.timeout_seconds)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        seconds = time.monotonic() - started
        why = f"{type(error).__name__}: {error}"
        return ResponseFact(key, url, 0, endpoint.status, "", seconds, why, via=via)
    told = _json(answer)
    return ResponseFact(
        endpoint=key,
        url=url,
        status=answer.status_code,
        expected_status=endpoint.status,
        body=answer.text[:BODY_LIMIT],
        seconds=time.monotonic() - started,
        build_id=str(told.get(endpoint.build_id, "")) if endpoint.build_id else "",
        source_digest=str(told.get(endpoint.source_digest, "")) if endpoint.source_digest else "",
        via=via,
    )


def _json(answer: Any) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
