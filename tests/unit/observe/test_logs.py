"""Error lines of logs: grouped, without secrets, from real containers."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

import builders
import docker
import pytest
from engine_images import needs_engine, run

from drillbook.act.images import tag
from drillbook.observe import engine as looking
from drillbook.observe.facts import ContainerFact
from drillbook.observe.logs import LINE_LIMIT, STATUS, _lines, _whole, heard, logs
from drillbook.target import Signs, Target

PATTERN = Signs().log_pattern
SAYS = (
    "echo started; for n in 1 2 3; do echo \"TypeError: row $n of 550e8400-e29b-41d4-a716-44665544000$n\" >&2; done; "
    "printf '\\033[31mFATAL\\033[0m: password=hunter22 refused\\n'; echo 'no error here'; printf 'Error: \\377 odd\\n'"
)  # fmt: skip
Talking = Callable[..., ContainerFact]


@pytest.fixture
def target() -> Target:
    return builders.target()


@pytest.fixture
def talking() -> Iterator[Talking]:
    """A container that says something and ends, seen as the service app."""
    names, client = [], docker.from_env()

    def start(says: str, *options: str) -> ContainerFact:
        name = f"drillbook-test-log-{os.getpid()}-{len(names)}"
        names.append(name)
        image = f"drillbook-redis:{tag()}"
        run("docker", "run", "-d", "--name", name, "--network", "none", *options, image, "sh", "-c", says)
        run("docker", "wait", name)
        return looking._container(client, client.api.inspect_container(name), {"com.docker.compose.service": "app"}, {})

    yield start
    client.close()
    for name in names:
        run("docker", "rm", "-f", "-v", name)


@needs_engine
def test_repeats_are_one_line_and_secrets_are_none(target: Target, talking: Talking) -> None:
    """Lines that differ by ids alone are counted once; the container may have ended; odd bytes break nothing."""
    found = {fact.line.split(":")[0]: fact for fact in logs(target, [talking(SAYS)], 100, PATTERN)}
    assert set(found) == {"TypeError", "FATAL", "Error"}
    assert (found["TypeError"].times, found["TypeError"].line[-1]) == (3, "3")
    assert "hunter22" not in found["FATAL"].line
    assert found["FATAL"].last.startswith("20")
    assert found["TypeError"].first < found["TypeError"].last


@needs_engine
def test_only_the_last_lines_are_read(target: Target, talking: Talking) -> None:
    """As many lines as asked for, the newest; with 0 no log is read."""
    there = talking("echo 'Error: old'; echo 'Error: newer'; echo fine")
    assert [fact.line for fact in logs(target, [there], 2, ".*Error")] == ["Error: newer"]
    assert logs(target, [there], 0, ".") == ()


@needs_engine
def test_a_terminal_has_no_frames(target: Target, talking: Talking) -> None:
    """A container with a terminal writes its log without frames; its lines are the same."""
    [fact] = logs(target, [talking("echo 'Error: on a terminal'", "-t")], 10, PATTERN)
    assert (fact.line, fact.last[:2]) == ("Error: on a terminal", "20")


@needs_engine
def test_a_log_that_keeps_nothing_is_named(target: Target, talking: Talking) -> None:
    """A log driver that cannot be read is a reason, and the other containers are heard all the same."""
    silent, there = talking("echo 'Error: lost'", "--log-driver", "none"), talking("echo 'Error: kept'")
    said = heard(target, [silent, there], 10, PATTERN)
    assert [fact.line for fact in said.errors] == ["Error: kept"]
    [(name, why)] = said.unread.items()
    assert name == f"log of {silent.name}"
    assert "does not support reading" in why


@needs_engine
def test_a_container_that_has_gone_is_named(target: Target) -> None:
    """A container that vanished since it was listed is a reason, not a traceback."""
    assert "gone" in heard(target, [builders.container()], 10, PATTERN).unread["log of connect-app1-1"]


@needs_engine
def test_one_endless_line_is_cut(target: Target, talking: Talking) -> None:
    """A megabyte without an end is one short line."""
    [fact] = logs(target, [talking("printf 'Error: '; head -c 1000000 /dev/zero | tr '\\0' x; echo")], 500, PATTERN)
    assert (fact.times, len(fact.line)) == (1, 300)


def test_lines_are_whole_whatever_the_chunks() -> None:
    """A line may come in pieces, several in one piece, or without an end."""
    assert list(_lines([b"on", b"e\ntwo\nth", b"ree"])) == [b"one", b"two", b"three"]
    assert [len(line) for line in _lines([b"x" * LINE_LIMIT, b"y" * LINE_LIMIT, b"z\nend\n"])] == [LINE_LIMIT, 3]


PRISMA = [
    "PrismaClientKnownRequestError:",
    "Invalid `prisma.organizations.findUnique()` invocation:",
    "",
    "The table `public.organizations` does not exist in the current database.",
    "    at Un.handleRequestError",
]


def test_an_error_is_told_with_what_it_announces() -> None:
    """An error that ends with a colon stands in several lines: they are one, up to the first that says something."""
    told = [said for _, said in _whole([("", line) for line in PRISMA], re.compile(PATTERN))]
    assert told == [
        "PrismaClientKnownRequestError: Invalid `prisma.organizations.findUnique()` invocation: "
        "The table `public.organizations` does not exist in the current database.",
        "    at Un.handleRequestError",
    ]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["Error:"], ["Error:"]),
        (["Error:", "", ""], ["Error:"]),
        (["Error:", "OtherError:", "why"], ["Error:", "OtherError: why"]),
        (["note:", "Error: x"], ["note:", "Error: x"]),
        (["Error:", "a:", "b:", "c:", "d:", "e:"], ["Error: a: b: c: d:", "e:"]),
    ],
)
def test_what_is_announced_has_an_end(lines: list[str], told: list[str]) -> None:
    """No line is lost, none is told twice, and not more than a few are joined."""
    assert [said for _, said in _whole([("", line) for line in lines], re.compile(PATTERN))] == told


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ('127.0.0.1 - - [10/Oct/2025:13:55:36 +0000] "GET /api/x HTTP/1.1" 500 2326 "-" "curl"', "500"),
        ("2025-10-13T02:00:00+00:00 GET /api/matches/generate?a=1 HTTP/1.1 502 172.18.0.5:3000 500 0.02", "502"),
        ("GET /x 204 - 3 ms", "204"),
        ("listening on 3000", None),
        ("took 500 ms", None),
    ],
)
def test_the_status_of_a_line(line: str, status: str | None) -> None:
    """The usual formats of access logs tell their status; a number elsewhere is none."""
    found = STATUS.search(line)
    assert (found[1] if found else None) == status


@needs_engine
def test_statuses_are_told_of_what_people_reach(target: Target, talking: Talking) -> None:
    """Requests count at the containers that publish a port: each is counted once, at the proxy."""
    from dataclasses import replace

    there = talking('echo "GET / HTTP/1.1 502 x"; echo "GET / HTTP/1.1 200 x"')
    assert heard(target, [there], 10, PATTERN).statuses == ()
    found = heard(target, [replace(there, ports=(80,))], 10, PATTERN).statuses
    assert [status for _, status in found] == [502, 200]
