"""What the containers of a target wrote lately: error lines, and the statuses of an access log."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from drillbook.errors import RunbookError
from drillbook.observe import engine
from drillbook.observe.facts import ContainerFact
from drillbook.observe.facts_signs import LogFact
from drillbook.observe.files import spoken_for
from drillbook.observe.said import hidden, kind, plain
from drillbook.observe.tar_stream import CHUNK, Forwards
from drillbook.target import Target

SHOWN, KEPT = 300, 40
LINE_LIMIT = 8 << 10
"""No more bytes of one line are read."""
JOINED = 4
"""An error that ends with a colon says what it is about in the next few lines."""
STATUS = re.compile(
    r'(?:"[A-Z]+ [^"]*"|\b(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) \S+(?: HTTP/[\d.]+)?) ([1-5]\d\d)\b'
)
"""The status in a line of the common, the combined and nginx's usual log formats."""
Line = tuple[str, str]
"""Its moment (RFC 3339, empty where unknown), and what it says."""


@dataclass(frozen=True)
class Heard:
    """Error lines by service, newest first; the statuses of requests, with their moments, and logs that keep silent."""

    errors: tuple[LogFact, ...] = ()
    statuses: tuple[tuple[str, int], ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)


def logs(target: Target, containers: Iterable[ContainerFact], last: int, pattern: str) -> tuple[LogFact, ...]:
    """What matches *pattern* among the *last* lines of each container, as `heard` tells it."""
    return heard(target, containers, last, pattern).errors


def heard(target: Target, containers: Iterable[ContainerFact], last: int, pattern: str) -> Heard:
    """The *last* lines of each container, read once: those that match *pattern* are grouped, the newest is shown.

    Changes nothing. No secret is in it. A log that cannot be read is in `unread`, with the reason.
    """
    found: dict[tuple[str, str], LogFact] = {}
    statuses: list[tuple[str, int]] = []
    unread: dict[str, str] = {}
    wanted = re.compile(pattern)
    for container in containers if last else ():
        try:
            for moment, said in _whole(lines(target, container, last), wanted):
                if wanted.search(said):
                    _add(found, container.service, moment, said)
                if container.ports and (status := STATUS.search(said)):
                    statuses.append((moment, int(status[1])))
        except RunbookError as error:
            unread[f"log of {container.name}"] = error.fact
    errors = sorted(found.values(), key=lambda fact: (fact.last, fact.times), reverse=True)
    return Heard(tuple(errors[:KEPT]), tuple(statuses), unread)


def _add(found: dict[tuple[str, str], LogFact], service: str, moment: str, said: str) -> None:
    line = hidden(said.strip())[:SHOWN]
    key = (service, kind(line))
    seen = found.get(key) or LogFact(service, line, 0, moment, moment)
    newer = moment >= seen.last
    found[key] = replace(
        seen,
        line=line if newer else seen.line,
        times=seen.times + 1,
        last=moment if newer else seen.last,
        first=min(seen.first, moment),
    )


def _whole(found: Iterable[Line], wanted: re.Pattern[str]) -> Iterator[Line]:
    """The lines; an error that ends with a colon is one line with those that it announces."""
    moment, said, left = "", "", 0
    for when, line in found:
        text = line.strip()
        announces = text.endswith(":") and bool(wanted.search(line))
        if left and not announces:
            said, left = f"{said} {text}".rstrip(), left - bool(text)
            if left and said.endswith(":"):
                continue
            yield moment, said
            left = 0
            continue
        if left:
            yield moment, said
        moment, said, left = when, text, JOINED if announces else 0
        if not left:
            yield when, line
    if left:
        yield moment, said


def lines(target: Target, container: ContainerFact, last: int) -> Iterator[Line]:
    """The container's last lines, running or ended, without colours. Changes nothing.

    Raises:
        RunbookError: its log driver keeps nothing that can be read, or it has gone.
    """
    api = engine.client(target).api
    with spoken_for(f"the log of {container.name}"):
        has_terminal = api.inspect_container(container.id)["Config"]["Tty"]
        params = {"stdout": 1, "stderr": 1, "timestamps": 1, "tail": last}
        # docker's own streaming waits without end, and what does not stream takes all into memory
        answer = api._get(api._url("/containers/{0}/logs", container.id), params=params, stream=True)
        with closing(answer):
            api._raise_for_status(answer)
            chunks = answer.iter_content(CHUNK)
            for raw in _lines(chunks if has_terminal else _frames(chunks)):
                line = plain(raw.decode(errors="replace")).rstrip("\r")
                moment, _, said = line.partition(" ")
                yield (moment, said) if moment[:2] == "20" else ("", line)


def _frames(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The content of the engine's frames. https://docs.docker.com/engine/api/v1.41/#operation/ContainerAttach"""
    source = Forwards(chunks)
    while len(head := source.read(8)) == 8:
        yield source.read(int.from_bytes(head[4:], "big"))


def _lines(chunks: Iterable[Any]) -> Iterator[bytes]:
    """The lines of *chunks*, each cut to what is read of one."""
    rest = b""
    for chunk in chunks:
        *ended, rest = (rest + chunk).split(b"\n")
        yield from (line[:LINE_LIMIT] for line in ended)
        rest = rest[:LINE_LIMIT]
    if rest:
        yield rest
