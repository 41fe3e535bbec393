"""Which tables a sample drill digests: other ones for each backup, and the same ones whenever that is drilled."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from drillbook.vault.content import TableDigest

LEAST_BYTES = 64 << 20
SHARE = 10
"""One part in so many of the database's bytes may be digested, but never less than `LEAST_BYTES`."""


def sampled(tables: Sequence[TableDigest], seed: str, least_bytes: int = LEAST_BYTES) -> frozenset[str]:
    """The names of the tables to digest: the largest that takes half of the budget at most, then what *seed* draws.

    At least one table, where there is one. The draw is by a hash of *seed* and name: no
    table is chosen by how its name sorts.
    """
    budget = max(least_bytes, sum(table.bytes for table in tables) // SHARE)
    drawn = sorted(tables, key=lambda table: hashlib.sha256(f"{seed}\0{table.name}".encode()).digest())
    fitting = [table for table in tables if table.bytes <= budget // 2]
    first = max(fitting, key=lambda table: (table.bytes, table.name), default=None)
    chosen: list[TableDigest] = [first] if first else []
    for table in drawn:
        if table is not first and sum(t.bytes for t in chosen) + table.bytes <= budget:
            chosen.append(table)
    return frozenset(table.name for table in chosen or sorted(tables, key=lambda table: table.bytes)[:1])
