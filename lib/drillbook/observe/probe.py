"""A probe that asks an endpoint again and again while something else is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType

from drillbook.observe.endpoint import ask
from drillbook.target import Endpoint


@dataclass
class Probe:
    """Asks *endpoints* in turn every *every_seconds* in a thread, from enter to exit. Changes nothing.

    `asked` and `failed` count answers; `down_seconds` is the time between a
    failing answer and the next good one of the same endpoint, summed. Endpoints in
    `unwell` failed before this began, and go on to do so while old replicas answer
    beside new ones: their failures are counted in `unmended` alone.
    """

    endpoints: Sequence[tuple[str, Endpoint]]
    every_seconds: float = 0.2
    asked: int = 0
    failed: int = 0
    down_seconds: float = 0.0
    worst_seconds: float = 0.0
    unwell: frozenset[str] = frozenset()
    unmended: int = 0
    failures: list[str] = field(default_factory=list)
    _down_since: dict[str, float] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Probe:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join(timeout=30)
        end = time.monotonic()
        self.down_seconds += sum(end - since for since in self._down_since.values())

    def _watch(self) -> None:
        while not self._stop.is_set():
            for name, endpoint in self.endpoints:
                self._ask(name, endpoint)
            self._stop.wait(self.every_seconds)

    def _ask(self, name: str, endpoint: Endpoint) -> None:
        fact = ask(name, endpoint, endpoint.url)
        self.asked += 1
        self.worst_seconds = max(self.worst_seconds, fact.seconds)
        if fact.status == fact.expected_status:
            since = self._down_since.pop(name, None)
            self.down_seconds += time.monotonic() - since if since is not None else 0.0
            return
        if name in self.unwell:
            self.unmended += 1
            return
        self.failed += 1
        self.failures = [*self.failures, f"{name}: {fact.status} {fact.error or fact.body[:120]}"][-20:]
        self._down_since.setdefault(name, time.monotonic())
