"""What belongs to a database itself is put onto it whole, or not at all."""

from __future__ import annotations

import psycopg
import pytest
from postgres import writer

from drillbook.act import settings
from drillbook.act.cluster import Cluster
from drillbook.act.switch import comment_of, set_comment
from drillbook.vault.content import DatabaseContent


def test_half_of_it_is_never_there(postgres_server: Cluster, database: str) -> None:
    """The comment tells a finished restore from a half one, so it does not come before what follows it."""
    told = {"comment": "done", "set::work_mem": "not a size"}
    content = DatabaseContent(
        database=database, server_version="16.4", algorithm="record64-v1", tables=(), settings=told
    )  # fmt: skip
    with writer(postgres_server, "postgres") as connection:
        set_comment(connection, database, "under way")
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            settings.apply(connection, database, content)
        assert comment_of(connection, database) == "under way"
        settings.apply(connection, database, content.model_copy(update={"settings": {"comment": "done"}}))
        assert comment_of(connection, database) == "done"
