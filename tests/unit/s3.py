"""An S3 of our own for the tests: moto's server on 127.0.0.1, which can be taken down in the middle."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest


@dataclass
class Bucket:
    """A bucket's URL and what fsspec needs to reach it; `server` is moto's."""

    url: str
    options: dict[str, Any]
    server: Any

    def stop(self) -> None:
        """Be out of reach from now on."""
        self.server.stop()


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """An empty bucket."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    for variable, value in {"AWS_ACCESS_KEY_ID": "us", "AWS_SECRET_ACCESS_KEY": "s3-secret"}.items():
        monkeypatch.setenv(variable, value)
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    name = f"vault-{uuid4().hex[:8]}"  # moto remembers buckets as long as this process lives
    client.create_bucket(Bucket=name)
    options = {"endpoint_url": endpoint, "config_kwargs": {"retries": {"max_attempts": 1}, "connect_timeout": 2}}
    try:
        yield Bucket(f"s3://{name}/drillbook", options, server)
    finally:
        server.stop()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """An S3 bucket for one test."""
    with serving(monkeypatch) as found:
        yield found
