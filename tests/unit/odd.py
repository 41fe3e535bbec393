"""The odd database: the files that make it, and how a server is filled with it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from drillbook.act.cluster import Cluster

HERE = Path(__file__).parent
FILES = (HERE / "observe" / "odd.sql", HERE / "act" / "odd_more.sql")
PSQL = ("-X", "-q", "-v", "ON_ERROR_STOP=1")


def fill(server: Cluster, dbname: str) -> None:
    """Everything of the two files into a database of *server*, by psql: the first error ends it."""
    place = ("-h", str(server.folder), "-p", str(server.port), "-U", server.user, f"dbname='{dbname}'")
    files = [word for file in FILES for word in ("-f", str(file))]
    argv = [server.binaries.program("psql"), *PSQL, *files, *place]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=120)
