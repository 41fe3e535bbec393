"""Error lines in the logs of a target's containers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from drillbook.errors import RunbookError
from drillbook.observe import engine
from drillbook.observe.facts import ContainerFact
from drillbook.observe.facts_signs import LogFact
from drillbook.observe.files import spoken_for
from drillbook.target import Target

SHOWN, KEPT = 300, 40
SECRET = re.compile(
    r"(?i)(://[^\s:/@]+:)[^\s@]+(?=@)|\b(password|passwd|pwd|secret|token|api[_-]?key|authorization)\b(\W{1,4})(?:bearer\s+)?\S+"
)
VARIES = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]{4,})*\b|\d+")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def lines(target: Target, container: ContainerFact, last: int) -> Iterator[tuple[str, str]]:
    """The container's last lines, each with its moment (RFC 3339, empty where unknown). Changes nothing.

    Raises:
        RunbookError: its log driver keeps nothing that can be read, or it has gone.
    """
    client = engine.client(target)
    with spoken_for(f"the log of {container.name}"):
        text = client.api.logs(container.id, tail=last, timestamps=True, stdout=True, stderr=True)
    for line in bytes(text).decode(errors="replace").splitlines():
        moment, _, said = line.partition(" ")
        yield (moment, said) if moment[:2] == "20" else ("", line)


def logs(target: Target, containers: Iterable[ContainerFact], last: int, pattern: str) -> tuple[LogFact, ...]:
    """What matches *pattern* among the last lines of each container: grouped, newest line shown, without secrets.

    Changes nothing. A container whose log cannot be read has no lines.
    """
    wanted, found = re.compile(pattern), dict[tuple[str, str], dict[str, Any]]()
    for container in containers if last else ():
        try:
            for moment, said in lines(target, container, last):
                plain = COLOUR.sub("", said)  # a colour's last letter would hide where a word begins
                if wanted.search(plain):
                    _add(found, container.service, moment, plain)
        except RunbookError:
            continue  # a log driver that keeps nothing: there is nothing to warn from
    facts = [LogFact(service, seen["line"], seen["times"], seen["last"]) for (service, _), seen in found.items()]
    return tuple(sorted(facts, key=lambda f: (f.last, f.times), reverse=True)[:KEPT])


def _add(found: dict[tuple[str, str], dict[str, Any]], service: str, moment: str, said: str) -> None:
    line = hidden(said.strip())[:SHOWN]
    seen = found.setdefault((service, VARIES.sub("#", line)), {"line": line, "times": 0, "last": ""})
    seen["times"] += 1
    if moment >= seen["last"]:
        seen.update(line=line, last=moment)


def hidden(text: str) -> str:
    """*text* with passwords in URLs, and what is assigned to names of secrets, taken out."""
    return SECRET.sub(lambda m: f"{m[1]}***" if m[1] else f"{m[2]}{m[3]}***", text)
