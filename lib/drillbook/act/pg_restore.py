"""pg_restore with several jobs, and without what it gets wrong with them.

A trigger that is disabled on a partition is an entry of its own in a dump,
which does not say that it needs the trigger of the parent table. With several
jobs the two run in any order, and `ALTER TABLE … DISABLE TRIGGER` fails
(seen with 15 to 18; with one job it never does). So triggers go last, one by
one: they take no time. Event triggers go with them, for they would see them made.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from drillbook.observe.command import Completed

LAST = re.compile(r"\d+; \d+ \d+ (?:EVENT )?TRIGGER |\d+; \d+ \d+ COMMENT .*TRIGGER ")
LIST = "/dev/stdin"


class Client(Protocol):
    """Runs pg_restore with these words; any exit code but 0 is an error."""

    def __call__(self, *words: str, stdin: str = "") -> Completed: ...


def restore(pg_restore: Client, archive: str, words: Sequence[str], jobs: int) -> None:
    """Restore the directory archive with *words*; the first error ends it.

    Raises:
        CommandFailed: pg_restore ended with another code than 0.
    """
    entries = pg_restore("--list", archive).stdout.splitlines()
    last = [entry for entry in entries if LAST.match(entry)]
    own = ("--exit-on-error", "--no-tablespaces", *words)
    if not last:
        pg_restore(*own, "-j", str(jobs), archive)
        return
    first = [entry for entry in entries if entry not in last]
    pg_restore(*own, "-j", str(jobs), "-L", LIST, archive, stdin="\n".join(first))
    pg_restore(*own, "-L", LIST, archive, stdin="\n".join(last))


def dsn(dbname: str) -> str:
    """A name that libpq takes as a name, whatever is in it: `a=b` alone would be a connection string."""
    escaped = dbname.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{escaped}'"
