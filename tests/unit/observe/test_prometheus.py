"""The error rate of Prometheus, as its HTTP API documents the answers."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from drillbook.errors import RunbookError
from drillbook.observe.prometheus import error_percent
from drillbook.target import Prometheus


class Server(http.server.BaseHTTPRequestHandler):
    body: bytes = b""
    status = 200
    asked: list[str]

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *words: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[tuple[type[Server], str]]:
    kind = type("Here", (Server,), {"asked": []})
    there = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=there.serve_forever, daemon=True).start()
    yield kind, f"http://127.0.0.1:{there.server_port}"
    there.shutdown()
    there.server_close()


def told(result: Any, kind: str = "vector") -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()


@pytest.mark.parametrize(
    ("body", "percent"),
    [
        (told([{"metric": {}, "value": [1.0, "62.5"]}]), 62.5),
        (told([1.0, "7"], "scalar"), 7.0),
        (told([]), None),
        (told([{"metric": {}, "value": [1.0, "NaN"]}]), None),
        (told([{"value": [1.0, "1"]}, {"value": [1.0, "2"]}]), None),
        (told([{"metric": {}, "values": [[1.0, "2"]]}], "matrix"), None),
        (told([1.0, "words"], "string"), None),
        (b'{"status": "success", "data": null}', None),
        (b'{"status": "success", "data": {"resultType": "vector", "result": [null]}}', None),
    ],
)
def test_a_number_is_a_rate_and_anything_else_is_none(server: Any, body: bytes, percent: float | None) -> None:
    """A scalar or a vector of one is the rate; no data, NaN or several series are none."""
    server[0].body = body
    assert error_percent(Prometheus(url=f"{server[1]}/", query="100 * x")) == percent
    [asked] = map(urlsplit, server[0].asked)
    assert (asked.path, parse_qs(asked.query)) == ("/api/v1/query", {"query": ["100 * x"]})


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [(400, b'{"status": "error", "error": "parse error"}', "parse error"), (200, b"<html>", "does not answer")],
)
def test_a_refusal_is_a_fact(server: Any, status: int, body: bytes, says: str) -> None:
    """What Prometheus complains of is told, with what to mend."""
    server[0].status, server[0].body = status, body
    with pytest.raises(RunbookError, match=says) as error:
        error_percent(Prometheus(url=server[1], query="x"))
    assert "signs.prometheus" in error.value.hint


def test_an_answer_that_drips_has_an_end(server: Any) -> None:
    """A server that never ends its answer holds the diagnosis up for no longer than the target allows."""

    def drip(self: Server) -> None:
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(100):
                self.wfile.write(b" ")
                time.sleep(0.1)

    server[0].do_GET = drip
    before = time.monotonic()
    with pytest.raises(RunbookError, match="does not answer"):
        error_percent(Prometheus(url=server[1], query="x", timeout_seconds=0.5))
    assert time.monotonic() - before < 5


def test_a_password_in_the_url_is_not_told() -> None:
    """What the target's file says of the way there may hold a secret."""
    with pytest.raises(RunbookError) as told:
        error_percent(Prometheus(url="http://ops:hunter22@127.0.0.1:1", query="x", timeout_seconds=1))
    assert "hunter22" not in str(told.value)


def test_silence_is_a_fact() -> None:
    """A port where nobody listens is told."""
    with pytest.raises(RunbookError, match="does not answer"):
        error_percent(Prometheus(url="http://127.0.0.1:1", query="x", timeout_seconds=1))
