"""Runs that are begun as the runner begins them, one after the other in one target's folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from drillbook import home
from drillbook.run.record import Record
from drillbook.run.session import Run
from drillbook.target import Target


@contextmanager
def beginning(monkeypatch: pytest.MonkeyPatch, target: Target, kind: type[Run]) -> Iterator[Callable[..., Run]]:
    """A function that begins a run of *kind* at an hour, that resumes another; each is closed before the next."""
    runs: list[Run] = []

    def begin(hour: int, resumes: str = "", kind: type[Run] = kind) -> Run:
        folder = home.outputs() / target.name / f"20251013T{hour:02}0000Z-reset-abc123"
        folder.mkdir(parents=True)
        monkeypatch.setenv("DRILLBOOK_RUN_DIR", str(folder))
        monkeypatch.setenv("DRILLBOOK_RESUME", resumes)
        for earlier in runs:
            earlier.close()
        runs.append(kind(target, Record.create(folder, "reset", target.name), folder))
        runs[-1].begin()
        return runs[-1]

    yield begin
    for run in runs:
        run.close()
