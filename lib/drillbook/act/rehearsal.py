"""A rehearsal under way: the copy of the target, where its things lie, and how they are told from all others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from drillbook.act import durable
from drillbook.act.executor import Context
from drillbook.act.netns import Net
from drillbook.decide.rehearse_config import Copied, copied
from drillbook.decide.rehearse_making import Making
from drillbook.decide.rehearse_target import copy_target
from drillbook.errors import RunbookError
from drillbook.observe.owner import ourselves
from drillbook.target import Target

STATE = "rehearsal"
LABEL = "drillbook.rehearsal"
FOLDER, OWNER, KEPT, NAMELESS = ".rehearsal-", "owner.json", "kept", "nameless.json"
COMPOSE = "compose.json"


@dataclass
class Rehearsal:
    """The copy: how it is made of *target*, whose compose file is rendered as *config*.

    `perform` carries out the reset on it and tells how it went; `keep`: it stays when all is done.
    """

    target: Target
    config: Mapping[str, Any] = field(repr=False)
    making: Making
    folder: Path
    run: str
    perform: Callable[[Rehearsal], Mapping[str, Any]]
    keep: bool = False
    holder: str = ""
    net: Net | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def made(self) -> Copied:
        """The copy's compose file as it is now known."""
        return copied(self.config, self.making)

    @property
    def copy(self) -> Target:
        """The copy as a target."""
        stack = self.target.stack
        assert stack is not None
        env = self.target.path(stack.env_file) if stack.env_file else self.target.directory / ".env"
        files = {
            "compose": str(self.folder / COMPOSE), "vault": str(self.folder / "vault"),
            "env": str(env) if env.is_file() else "",
        }  # fmt: skip
        return copy_target(self.target, self.config, self.made, self.making, files)

    def claim(self) -> None:
        """Make the copy's folder, which says whose it is, and give all that will be made labels that say so too."""
        durable.folder(self.folder)
        told = {"project": self.making.project, "identity": self.copy.identity, "run": self.run}
        durable.replace(self.folder / OWNER, json.dumps({**ourselves(), **told}).encode())
        own = {**ourselves(), **told, "folder": str(self.folder)}
        labels = {LABEL: self.target.identity, **{f"{LABEL}.{name}": value for name, value in own.items()}}
        self.making = replace(self.making, labels=labels)

    def write(self) -> None:
        """Write the copy's compose file, mode 0600: it holds what the target's variables were filled in with."""
        durable.replace(self.folder / COMPOSE, json.dumps(self.made.config).encode())

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Within, this thread reaches the copy: from its own network, or, where it cannot step in, from the host."""
        self.go(inside=True)
        try:
            yield
        finally:
            self.go(inside=False)

    def go(self, *, inside: bool) -> None:
        """Step into the copy's network, or out of it."""
        if self.net is not None:
            self.net.go(inside=inside)


def under_way(context: Context) -> Rehearsal:
    """The rehearsal of this run.

    Raises:
        RunbookError: there is none.
    """
    found = context.state.get(STATE)
    if not isinstance(found, Rehearsal):
        raise RunbookError("no rehearsal is under way in this run", "a cut rehearsal is not resumed: run it anew")
    return found
