"""One spelling of a path at every level: what is not UTF-8 is escaped, so that it can be shown and written as JSON."""

from __future__ import annotations

import os


def printable(path: str) -> str:
    r"""*path*, as the file system or a tar gave it, with odd bytes as `\xff`; the same for the same bytes."""
    return path if path.isascii() else os.fsencode(path).decode("utf-8", "backslashreplace")
