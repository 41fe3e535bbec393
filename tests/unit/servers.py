"""A real HTTP server on 127.0.0.1 that can be taken down and brought back."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWERS: dict[str, tuple[int, str]] = {
    "/good": (200, json.dumps({"build": "b1", "sources": "abc"})),
    "/broken": (500, "TypeError: Cannot read properties of undefined (reading 'findUnique')"),
    "/list": (200, "[1, 2]"),
    "/long": (200, "x" * 10_000),
}


class Site:
    """The server's `url`, and whether it is `down` (every answer is then 503)."""

    def __init__(self) -> None:
        self.url = ""
        self.down = False


@contextmanager
def serving() -> Iterator[Site]:
    """A site that answers as ANSWERS says until the block ends."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/slow":
                time.sleep(1.0)
            status, body = (503, "down") if site.down else ANSWERS.get(self.path, (404, "no"))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        site.url = f"http://127.0.0.1:{server.server_port}"
        yield site
        server.shutdown()
