"""An engine that is stopping: it takes no new connection, and answers on those that it has."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from drillbook.errors import EngineDown
from drillbook.observe import engine
from drillbook.target import Target, parse_target


class Answers(BaseHTTPRequestHandler):
    """As the engine does, on a connection that is kept."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b'{"ApiVersion": "1.41"}' if self.path.endswith("version") else b"OK"
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if body[0] == ord("{") else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "engine"

    def log_message(self, format: str, *words: object) -> None:
        """Says nothing."""


class Engine(socketserver.ThreadingUnixStreamServer):
    daemon_threads, block_on_close = True, False


@pytest.fixture
def stopping(tmp_path: Path) -> Iterator[Target]:
    """A target whose engine has answered once, and has closed its door since."""
    place = tmp_path / "engine.sock"
    raw = {"name": "s", "stack": {"project": "s", "directory": str(tmp_path), "docker_host": f"unix://{place}"}}
    target = parse_target(raw, tmp_path / "s.yaml")
    with Engine(str(place), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        engine.client(target)
        server.shutdown()
    place.unlink()
    yield target
    engine._client.cache_clear()


def test_engine_that_stops_is_known_by_a_new_connection(stopping: Target) -> None:
    """On the old one it seems well until it has ended."""
    engine.client(stopping)
    with pytest.raises(EngineDown):
        engine.client(stopping, anew=True)
