"""Other stacks that go by this target's compose project name."""

from __future__ import annotations

from typing import Any

from drillbook.observe.engine import PROJECT, answering, client, is_ours, stack_of
from drillbook.observe.facts import StrangerFact
from drillbook.target import Target

HASH = "com.docker.compose.config-hash"
"""Without this label a container is nothing to compose, whatever project its image's labels give it."""
ALIVE = ("running", "paused", "restarting")


def strangers(target: Target) -> tuple[StrangerFact, ...]:
    """The containers, running or not, that a compose command with this project's name takes for its own, and errs.

    Changes nothing. Volumes and networks carry the name too, but not the folder that they are
    of: the containers decide. One that a build's labels alone put there (`docker run`) is none.

    Raises:
        EngineDown: the engine does not answer.
        RunbookError: it could not tell.
    """
    engine, ours = client(target), f"{PROJECT}={stack_of(target).project}"
    with answering("the containers of its project name"):
        rows = engine.api.containers(all=True, filters={"label": [ours, HASH]})
    found = [_stranger(row) for row in rows if not is_ours(target, row["Labels"])]
    return tuple(sorted(found, key=lambda fact: (fact.directory, fact.files, fact.container)))


def _stranger(row: dict[str, Any]) -> StrangerFact:
    labels = row["Labels"]
    names = [name.lstrip("/") for name in row["Names"] or (row["Id"][:12],)]
    return StrangerFact(
        container=names[0],
        service=labels.get("com.docker.compose.service", ""),
        directory=labels.get(f"{PROJECT}.working_dir", ""),
        files=tuple(filter(None, labels.get(f"{PROJECT}.config_files", "").split(","))),
        running=row["State"] in ALIVE,
    )
