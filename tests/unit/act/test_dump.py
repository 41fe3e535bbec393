"""How a dump is made."""

from __future__ import annotations

from pathlib import Path

from drillbook.act.client_tools import client_tools
from drillbook.act.dump import compresses
from drillbook.observe.data import data_facts
from drillbook.target import Target


def test_what_a_client_can_compress_by_is_found_out(target: Target, tmp_path: Path) -> None:
    """The question itself must not fail, or no backup would ever be compressed by zstd."""
    with client_tools(target, "main", tmp_path, "test", data_facts(target).servers["main"].major) as tools:
        dbname = target.databases["main"].dbname
        assert compresses(tools, dbname, "gzip:1")
        assert not compresses(tools, dbname, "rot13:1")
