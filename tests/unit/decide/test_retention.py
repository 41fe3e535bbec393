"""Which backups go, as whole lists; and that no rule ever lets the last proven one go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.decide.retention import Kept, expired, reasons
from drillbook.target import Retention

NOW = datetime(2025, 10, 13, 3, tzinfo=UTC)
NONE = {"last": 0, "daily": 0, "weekly": 0, "monthly": 0, "minimum": 1}


def nightly(verdicts: str) -> list[Kept]:
    """A backup a night, the newest first: p(roven), u(nproven), f(ailed)."""
    names = {"p": "proven", "u": "unproven", "f": "failed"}
    return [Kept(f"n{age}", NOW - timedelta(days=age), names[letter]) for age, letter in enumerate(verdicts)]


def test_without_rules_nothing_goes() -> None:
    """Removing is never a default."""
    assert expired(nightly("pppp"), None) == ()


def test_without_a_proven_one_nothing_goes() -> None:
    """Whatever the rules say."""
    assert expired(nightly("ufuuufuuu"), Retention(**NONE)) == ()


@pytest.mark.parametrize(
    ("verdicts", "rules", "gone"),
    [
        ("pppp", {"last": 2}, ("n3", "n2")),
        ("uppp", {"last": 2}, ("n3",)),  # n0 may be proven yet, and pushes none out
        ("puup", {"last": 2}, ("n2", "n1")),  # an unproven one does not count where a proven one is there
        ("puuu", {"last": 2}, ("n3", "n2")),
        ("pfff", {}, ("n3", "n2", "n1")),
        ("fppp", {}, ("n3", "n2")),  # a failed one that is newer is evidence
        ("pppp", {"minimum": 3}, ("n3",)),
        ("p" * 20, {"daily": 3}, tuple(f"n{n}" for n in range(19, 2, -1))),
        (
            "p" * 20,
            {"weekly": 2},
            tuple(f"n{n}" for n in range(19, 0, -1) if n != 1),
        ),  # Monday, Sunday
        ("p" * 20, {"monthly": 2}, tuple(f"n{n}" for n in range(19, 0, -1) if n != 13)),  # 30 September
    ],
)
def test_the_rules(verdicts: str, rules: dict[str, int], gone: tuple[str, ...]) -> None:
    """Each rule alone, beside the newest proven one, which always stays."""
    assert expired(nightly(verdicts), Retention(**{**NONE, **rules})) == gone


def test_each_period_takes_its_proven_one_first() -> None:
    """Two on one day: the proven one stays, although the other is newer."""
    day = [
        Kept("noon", NOW + timedelta(hours=9), "unproven"),
        Kept("dawn", NOW, "proven"),
        Kept("old", NOW - timedelta(days=1), "proven"),
    ]
    stay = reasons([*day, Kept("today", NOW + timedelta(days=1), "proven")], Retention(**{**NONE, "daily": 3}))
    assert set(stay) == {"today", "dawn", "old"}
    assert stay["today"] == "newest proven, minimum, daily"


number = st.integers(0, 5)
history = st.lists(st.tuples(st.integers(0, 400), st.sampled_from("puf")), max_size=30)


rules = st.builds(Retention, last=number, daily=number, weekly=number, monthly=number, minimum=st.integers(1, 5))


@given(history, rules)
def test_the_last_proven_one_always_stays(seen: list[tuple[int, str]], rules: Retention) -> None:
    """Whatever was backed up when: the newest proven stays, `minimum` of them stay, and what is newer than it."""
    verdicts = {"p": "proven", "u": "unproven", "f": "failed"}
    backups = [Kept(f"b{n}", NOW - timedelta(hours=7 * age), verdicts[v]) for n, (age, v) in enumerate(seen)]
    gone = set(expired(backups, rules))
    proven = sorted((b for b in backups if b.verdict == "proven"), key=lambda b: b.started, reverse=True)
    left = [b for b in proven if b.name not in gone]
    assert len(left) >= min(rules.minimum, len(proven))
    if not proven:
        assert not gone
    else:
        assert proven[0].started == left[0].started
        assert not {b.name for b in backups if b.started > proven[0].started} & gone
