"""What redis-cli says through the engine, and what the engine loses of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from drillbook.errors import RunbookError
from drillbook.observe import redis

CONTAINER = "25259a171200ffff"


def engine(*answers: str, code: int = 0) -> Any:
    """A client whose execs answer so, one after the other, and count what is left; no real engine loses on demand."""
    left = list(answers)
    api = SimpleNamespace(
        exec_create=lambda container, argv, environment: {"Id": "exec"},
        exec_start=lambda number: left.pop(0).encode(),
        exec_inspect=lambda number: {"ExitCode": code},
    )
    return SimpleNamespace(api=api, left=left)


def test_a_lost_answer_is_asked_for_again() -> None:
    client = engine("", "", "PONG\n", "never asked for")
    assert redis.cli(client, CONTAINER, "", "PING") == "PONG\n"
    assert client.left == ["never asked for"]


def test_a_lost_answer_is_no_redis_without_keys() -> None:
    client = engine("", "# Keyspace\ndb0:keys=2,expires=0,avg_ttl=0\n", "", "2 0123\n")
    assert redis.content(client, CONTAINER, "").keys == 2
    assert redis.content(engine("# Keyspace\n"), CONTAINER, "").keys == 0


def test_answers_that_are_always_lost_end_the_run() -> None:
    client = engine("", "", "", "never asked for")
    with pytest.raises(RunbookError, match="the engine lost 3 answers of redis in 25259a171200 to INFO") as caught:
        redis.content(client, CONTAINER, "")
    assert "docker exec 25259a171200 echo yes" in caught.value.hint
    assert client.left == ["never asked for"]


def test_an_error_is_not_asked_for_again() -> None:
    client = engine("", "never asked for", code=1)
    with pytest.raises(RunbookError, match="answered INFO with"):
        redis.content(client, CONTAINER, "")
    assert client.left == ["never asked for"]
