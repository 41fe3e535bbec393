"""How a foreseen error looks in a notebook: a fact and a hint; the traceback is folded away but kept."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any

from drillbook.errors import OutOfOrder, RunbookError
from drillbook.show.view import callout, show


def install(remember: Callable[[BaseException], None]) -> None:
    """From now on *remember* sees every error of a cell, and foreseen ones are shown without their traceback.

    Changes the running IPython shell; outside of one, nothing.
    """
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is None:
        return

    def stop(
        shell: Any,
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType,
        tb_offset: Any = None,  # noqa: ARG001  IPython gives it by name
    ) -> list[str]:
        error = _foreseen(error)
        remember(error)
        lines = traceback.format_exception(type(error), error, trace)
        if isinstance(error, RunbookError):
            lines = [_fold(error, "".join(lines))]
            shell._showtraceback(type(error), str(error), lines)
        else:
            shell._showtraceback(kind, error, lines)
        return lines

    shell.set_custom_exc((Exception,), stop)


def load_ipython_extension(shell: Any) -> None:  # noqa: ARG001  IPython gives it by name
    """What a kernel is like before `drillbook.start`: there is no run yet that could remember an error."""
    install(lambda _: None)


def _foreseen(error: BaseException) -> BaseException:
    """A name that an earlier cell should have set is a cell that has not run: as foreseen as any refusal."""
    if isinstance(error, NameError) and error.name:
        return OutOfOrder(
            f"{error.name!r} is not known: a cell above has not run, or was refused",
            "run the cells in order, from the top",
        )
    return error


def _fold(error: RunbookError, trace: str) -> str:
    """Show *error* as a box; what is left to say where a traceback would stand."""
    kind, word = ("warn", "refused") if error.status == "refused" else ("fail", "stopped")
    show(callout(kind, f"{word}: {error.fact}", f"HINT: {error.hint}", trace))
    return f"{word}, as told above"
