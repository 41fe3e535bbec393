"""A server that speaks as much of the engine's API as a test says, on a socket of its own."""

from __future__ import annotations

import json
import re
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

CUT = (0, None)
"""An answer that ends before it began: the engine went away."""
VERSION = {"ApiVersion": "1.41", "Version": "20.10.24", "MinAPIVersion": "1.12"}


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@contextmanager
def serving_engine(socket: Path, answers: Mapping[str, tuple[int, Any]]) -> Iterator[str]:
    """The `docker_host` of an engine that answers path → (status, JSON) and 404 to all else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = re.sub(r"^/v[\d.]+", "", self.path.partition("?")[0])
            known = {"/version": (200, VERSION), "/_ping": (200, "OK"), **answers}
            status, told = known.get(path, (404, {"message": f"no such thing: {path}"}))
            if (status, told) == CUT:
                return
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "test"

        def log_message(self, *args: object) -> None:
            """Keep quiet."""

    with Server(str(socket), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"unix://{socket}"
        finally:
            server.shutdown()
            socket.unlink()
