"""Names and texts as SQL writes them, for plans that show their statements."""

from __future__ import annotations


def identifier(name: str) -> str:
    """*name* quoted."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def qualified(schema: str, name: str) -> str:
    """Both quoted, with the dot between them."""
    return f"{identifier(schema)}.{identifier(name)}"


def literal(text: str) -> str:
    """*text* as a string, whatever is in it."""
    doubled = text.replace("\\", "\\\\").replace("'", "''")
    return f" E'{doubled}'" if "\\" in text else f"'{doubled}'"
