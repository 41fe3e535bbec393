"""A load of requests on endpoints while something else is done: how many, how many failed, how slow the slowest was."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from types import TracebackType

import httpx

THREADS = 4
PAUSE_SECONDS = 0.01


@dataclass
class Load:
    """*urls* asked in turn by four threads, from enter to exit; a request fails by anything but a 200 within 10 s."""

    urls: tuple[str, ...]
    asked: int = 0
    worst: float = 0.0
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Load:
        self.seconds = time.monotonic()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(THREADS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=30)
        self.seconds = time.monotonic() - self.seconds

    def _ask(self) -> None:
        with httpx.Client(trust_env=False, timeout=10, headers={"Connection": "close"}) as client:
            while not self._stop.is_set():
                for url in self.urls:
                    began = time.monotonic()
                    try:
                        answer = client.get(url)
                        said = "" if answer.status_code == 200 else f"{answer.status_code} {answer.text[:120]}"
                    except httpx.HTTPError as error:
                        said = repr(error)
                    took = time.monotonic() - began
                    with self._lock:
                        self.asked += 1
                        self.worst = max(self.worst, took)
                        self.failures += [f"{url} after {took:.2f} s: {said}"] if said else []
                self._stop.wait(PAUSE_SECONDS)

    def __str__(self) -> str:
        rate = self.asked / self.seconds
        return (
            f"{len(self.failures)} of {self.asked} requests failed in {self.seconds:.1f} s ({rate:.0f} a second), "
            f"the slowest took {self.worst:.2f} s"
        )
