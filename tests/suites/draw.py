"""What a commit draws: one part of each long suite, by its hash; over some commits all of them are met."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

PARTS = 6
"""Parts of each long suite: a commit's check runs one of them."""
T = TypeVar("T")


def number(seed: str, parts: int = PARTS, salt: int = 0) -> int:
    """The part, from 0, that the hash *seed* draws; another *salt* draws independently of the first."""
    return int(seed[8 * salt : 8 * salt + 8] or "0", 16) % parts


def every(items: Sequence[T], seed: str) -> list[T]:
    """Every sixth of *items*, from the one that *seed* draws; never empty where there is any."""
    return list(items[number(seed) % max(len(items), 1) :: PARTS])
