"""What programs say: without the secrets in it, and the same for two lines that differ by ids alone."""

from __future__ import annotations

import re

COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
VARIES = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]{4,})*\b|\d+")
"""What may be another the next time: numbers, ids, times."""
_SECRETS = (
    r"(://[^\s:/@]*:)[^\s@]+(?=@)",
    r"(\b(?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?)(?:(?:bearer|basic|digest|token)\s+)?[^\s\"']+",
    r"(\b(?:bearer|basic)\s+)[\w.~+/=-]{12,}",
    r"(\b(?:set-)?cookie[\"']?\s*[:=]\s*).+",
    r"((?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)"
    r"[\"']?\s*[:=]\s*)(?:\"[^\"]*\"?|'[^']*'?|[^\s,;&)}\]]+)",
    r"(--password[= ])\S+",
    r"(\b)(?:eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|AKIA[0-9A-Z]{16})",
)
SECRET = re.compile("|".join(_SECRETS), re.IGNORECASE)
"""Each way begins with a group that stays; the rest is the secret."""


def plain(text: str) -> str:
    """*text* without a terminal's colours."""
    return COLOUR.sub("", text)


def hidden(text: str) -> str:
    """*text* without passwords in URLs, tokens, cookies, and what is assigned to names of secrets."""
    return SECRET.sub(lambda found: f"{found[found.lastindex or 0]}***", text)


def kind(text: str) -> str:
    """The same for two lines that differ by numbers, ids and times alone."""
    return VARIES.sub("#", text)
