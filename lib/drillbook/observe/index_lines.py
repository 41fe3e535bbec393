"""An index in one line, the same for a server, a schema file and a backup, so that lines can be compared."""

from __future__ import annotations

UNNAMED = "some index on "
"""What a schema file makes without a name: the server chooses one."""


def index_text(unique: bool, index: str, table: str) -> str:
    """`unique index public.users_email_key on public.users`."""
    return f"{'unique ' if unique else ''}index {index} on {table}"


def unnamed(table: str) -> str:
    """`some index on public.users`."""
    return f"{UNNAMED}{table}"


def index_table(text: str) -> str:
    """The table of an index told by either."""
    return text.rpartition(" on ")[2]
