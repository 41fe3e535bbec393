"""Names and ports of this checkout and this worker alone: what another one runs, or left behind, is in nobody's way."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from string import ascii_lowercase

HOUSE = Path(__file__).resolve().parents[1]
TAG = sha256(str(HOUSE).encode()).hexdigest()[:4]
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
NUMBER = int(WORKER.removeprefix("gw")) + 1 if WORKER else 0
"""1 and up for the workers of pytest-xdist, 0 where tests run one after the other."""
PORTS = 1000
APART = 37
"""Ports between two workers: 26 of them never meet."""


def project(name: str) -> str:
    """The compose project that stands for *name* in this worker."""
    return f"{name}-{TAG}{ascii_lowercase[NUMBER]}"


def port(base: int) -> int:
    """A port at or above *base* by less than a thousand, the same in every run of this worker."""
    return base + (int(TAG, 16) + APART * NUMBER) % PORTS
