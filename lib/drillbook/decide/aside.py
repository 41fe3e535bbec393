"""What is kept aside, and under which dated name."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from drillbook.decide.restore import free_name
from drillbook.errors import RunbookError
from drillbook.observe.held import ASIDE


def dated(stamp: str) -> str:
    """*stamp*, a date and time as ISO 8601 writes it, as names end in it: `20251013t010000z`, in UTC.

    Raises:
        RunbookError: it is none.
    """
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError as error:
        raise RunbookError(
            f"{stamp!r} is no date and time", "this is a mistake in the runbook; please report it"
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).strftime("%Y%m%dt%H%M%Sz")


def database_aside(dbname: str, stamp: str, taken: Collection[str] = ()) -> str:
    """What the database *dbname* is called once it is set aside; a long name is cut to PostgreSQL's 63 bytes."""
    return free_name(dbname, f"_aside_{dated(stamp)}", taken)


def database_fresh(dbname: str, stamp: str, taken: Collection[str] = ()) -> str:
    """What the empty database is called until it takes the place of *dbname*."""
    return free_name(dbname, f"_fresh_{dated(stamp)}", taken)


def volume_aside(volume: str, stamp: str = "") -> str:
    """The volume that takes the content of *volume*; without a *stamp* what the names of all of those begin with."""
    return f"{volume}{ASIDE}{dated(stamp) if stamp else ''}"
