"""What could not be observed, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from drillbook.errors import RunbookError

T = TypeVar("T")
A = TypeVar("A")


class Unknowns(dict[str, str]):
    """What could not be observed, and why."""

    def attempt(self, name: str, ask: Callable[[], T], absent: A) -> T | A:
        """What *ask* gives; where it ends in a foreseen error, *absent*, and the error's fact under *name*."""
        try:
            return ask()
        except RunbookError as error:
            self[name] = error.fact
            return absent
