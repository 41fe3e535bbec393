"""Facts are frozen: what was observed cannot be changed afterwards."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import builders
import pytest

from drillbook.observe.facts import Snapshot


@pytest.mark.parametrize(
    "fact", [builders.container(), builders.source(), builders.image(), builders.answer(), builders.healthy()]
)
def test_facts_cannot_be_changed(fact: object) -> None:
    """Nobody can turn a fact into another after it was observed."""
    with pytest.raises(FrozenInstanceError):
        fact.target = fact.service = "another"  # type: ignore[attr-defined]


def test_nothing_observed_is_nothing() -> None:
    """A snapshot of nothing claims nothing."""
    empty = Snapshot("connect", "0")
    assert not any((empty.containers, empty.images, empty.databases, empty.backups, empty.deployed))
