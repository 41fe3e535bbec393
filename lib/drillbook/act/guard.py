"""Cleaning up after a plan that was cut: what steps leave behind is undone when one of them fails or is interrupted."""

from __future__ import annotations

import functools
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

from drillbook.act.executor import Action, Context
from drillbook.decide.plan import Step

KEY = "cleanup"


def cleanup(context: Context) -> ExitStack:
    """The plan's own stack of things to undo; a step that ends well pops what may stay."""
    stack = context.state.setdefault(KEY, ExitStack())
    if not isinstance(stack, ExitStack):
        raise TypeError(f"context.state[{KEY!r}] belongs to guard")
    return stack


def finish(context: Context) -> None:
    """Undo everything on the stack now, last first."""
    cleanup(context).close()


def guarded(action: Action) -> Action:
    """*action*, where any ending but a good one first undoes what this plan left behind, SIGTERM included."""

    @functools.wraps(action)
    def inner(step: Step, context: Context) -> Mapping[str, Any]:
        try:
            with terminating():
                return action(step, context)
        except BaseException:
            finish(context)
            raise

    return inner


@contextmanager
def terminating() -> Iterator[None]:
    """Within, SIGTERM ends the process through its `finally` blocks, where it would else die at once."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def undo(context: Context, callback: Callable[[], None]) -> None:
    """Have *callback* run when the plan fails, or at `finish`."""
    cleanup(context).callback(callback)
