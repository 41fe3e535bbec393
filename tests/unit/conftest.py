"""What the unit tests share: a real PostgreSQL server, reached by its socket."""

from __future__ import annotations

from postgres import database, postgres_server, target
from s3 import bucket

__all__ = ["bucket", "database", "postgres_server", "target"]
