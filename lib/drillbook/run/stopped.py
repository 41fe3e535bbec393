"""How a foreseen error looks in a notebook: a fact and a hint; the traceback is folded away but kept."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any

from drillbook.errors import RunbookError
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
        shell: Any, kind: type[BaseException], error: BaseException, trace: TracebackType, tb_offset: Any = None
    ) -> list[str]:
        remember(error)
        if not isinstance(error, RunbookError):
            lines = traceback.format_exception(kind, error, trace)
            shell._showtraceback(kind, error, lines)
            return lines
        folded = "".join(traceback.format_exception(kind, error, trace))
        status = "refused" if error.status == "refused" else "stopped"
        show(
            callout(
                "warn" if error.status == "refused" else "fail",
                f"{status}: {error.fact}",
                f"HINT: {error.hint}",
                folded,
            )
        )
        lines = [str(error)]
        shell._showtraceback(kind, str(error), lines)
        return lines

    shell.set_custom_exc((Exception,), stop)
