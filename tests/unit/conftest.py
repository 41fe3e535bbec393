"""What the unit tests share: a real PostgreSQL server, reached by its socket."""

from __future__ import annotations

from postgres import database, postgres_server, target

__all__ = ["database", "postgres_server", "target"]
