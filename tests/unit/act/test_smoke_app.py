"""The app that a drill asks: what it is told of one that ends, or never answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from drillbook.act import smoke_app
from drillbook.target import Smoke


class App:
    """The engine's view of a container at 127.0.0.1 that runs for *looks* looks, and has then ended."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def inspect_container(self, container: str) -> dict[str, Any]:
        self.looks -= 1
        networks = {"net": {"IPAddress": "127.0.0.1"}}
        return {"State": {"Running": self.looks >= 0, "ExitCode": 1}, "NetworkSettings": {"Networks": networks}}

    def logs(self, container: str, tail: int) -> bytes:
        return b"no such file: /nowhere"


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port to which connections are never made: its queue is full, as if nobody were there to say no."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(server.getsockname())
        yield int(server.getsockname()[1])
        for one in waiting:
            one.close()


def asked(port: int, looks: int) -> tuple[int, str]:
    smoke = Smoke.model_validate(
        {"service": "app1", "database": "main", "path": "/", "port": port, "timeout_seconds": 1.0}
    )
    return smoke_app._asked(App(looks), "c", "net", smoke, 0)


def test_one_that_ends_while_it_is_asked_is_told_as_ended(deaf: int) -> None:
    """A connection to what has just gone takes all the time there is: it is looked at once more at the end."""
    status, said = asked(deaf, 1)
    assert (status, said) == (0, "the app ended with 1: no such file: /nowhere")


def test_one_that_runs_and_does_not_answer_is_no_answer(deaf: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It had its time, in several tries."""
    monkeypatch.setattr(smoke_app, "CONNECT_SECONDS", 0.1)
    monkeypatch.setattr(smoke_app, "PAUSE_SECONDS", 0.01)
    status, said = asked(deaf, 100)
    assert status == 0
    assert said.startswith("ConnectTimeout")
