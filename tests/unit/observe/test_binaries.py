"""Which PostgreSQL programs of this machine are used."""

from __future__ import annotations

import pytest

from drillbook.errors import RunbookError
from drillbook.observe import binaries
from drillbook.observe.binaries import Binaries, at_least, installed


def test_the_lowest_version_that_is_not_older_is_chosen() -> None:
    """Client tools must not be older than the server, and need not be newer."""
    oldest = installed(binaries.CLIENT)[0]
    assert at_least(oldest.major).major == oldest.major
    assert at_least(9).major == oldest.major


def test_without_programs_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has been started by then."""
    monkeypatch.setattr(binaries, "folders", lambda: iter(()))
    with pytest.raises(RunbookError, match=r"version 16 or newer .*found: none") as caught:
        at_least(16)
    assert "postgresql-client-16" in caught.value.hint


def test_programs_that_are_too_old_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """So that a person sees why they were passed over."""
    monkeypatch.setattr(binaries, "installed", lambda _needs: (Binaries(tmp_path, 13, "13.9"),))
    with pytest.raises(RunbookError, match=r"13\.9 in "):
        at_least(16)
