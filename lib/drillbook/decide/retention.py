"""Which backups stay, by the target's rules: proven ones are counted first, and the last proven one always stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from drillbook.target import Retention
from drillbook.vault.backup import Standing


@dataclass(frozen=True)
class Kept:
    """A backup as retention sees it; `started` is how old its content is."""

    name: str
    started: datetime
    verdict: Standing


Period = Callable[[datetime], str]
PERIODS: dict[str, Period] = {
    "daily": lambda moment: f"{moment:%Y-%m-%d}",
    "weekly": lambda moment: f"{moment:%G-W%V}",
    "monthly": lambda moment: f"{moment:%Y-%m}",
}


def reasons(backups: Iterable[Kept], rules: Retention) -> dict[str, str]:
    """name → why it stays; a backup that is not named may go. Days, weeks and months are UTC's.

    Each rule takes proven backups first, and others only where there are not enough: an
    unproven one never pushes a proven one out. What is newer than the newest
    proven one stays in any case: it may be proven yet. Without a proven one nothing goes.
    """
    newest = sorted(backups, key=lambda b: (b.started, b.name), reverse=True)
    proven = [b for b in newest if b.verdict == "proven"]
    if not proven:
        return {b.name: "there is no proven one" for b in newest}
    why: dict[str, list[str]] = {}
    for rule, found in _rules(newest, proven, rules):
        for backup in found:
            why.setdefault(backup.name, []).append(rule)
    for backup in newest:
        if backup.started > proven[0].started:
            why.setdefault(backup.name, []).append("newer than the newest proven one")
    return {name: ", ".join(told) for name, told in why.items()}


def _rules(newest: Sequence[Kept], proven: Sequence[Kept], rules: Retention) -> Iterable[tuple[str, Sequence[Kept]]]:
    yield "newest proven", proven[:1]
    yield "minimum", proven[: rules.minimum]
    usable = [b for b in newest if b.verdict in ("proven", "unproven")]
    yield "last", sorted(usable, key=lambda b: b.verdict != "proven")[: rules.last]
    for name, period in PERIODS.items():
        yield name, _first_of_each(usable, period)[: getattr(rules, name)]


def _first_of_each(newest: Sequence[Kept], period: Period) -> list[Kept]:
    """The newest proven one of each period that has a backup, or its newest, latest period first."""
    groups = [list(together) for _, together in groupby(newest, key=lambda b: period(b.started))]
    return [next((b for b in together if b.verdict == "proven"), together[0]) for together in groups]


def expired(backups: Sequence[Kept], rules: Retention | None) -> tuple[str, ...]:
    """The names of those that may go, oldest first; none without rules."""
    if rules is None:
        return ()
    stay = reasons(backups, rules)
    return tuple(b.name for b in sorted(backups, key=lambda b: (b.started, b.name)) if b.name not in stay)
