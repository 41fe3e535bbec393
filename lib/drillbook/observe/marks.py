"""The mark on what drillbook made or kept: the first line of a comment. What stood there before follows it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal, get_args

State = Literal["kept", "restored", "made"]
_FORM = re.compile(
    r"drillbook: (?P<name>\".*\") (?P<state>kept|restored|made) "
    r"for (?P<target>\S+) by run (?P<run>\S+) of (?P<backup>\S+)"
)


@dataclass(frozen=True)
class Mark:
    """That *name* was kept, restored from *backup*, or made empty, by a run for *target* that rested on *backup*.

    A mark counts only where it names its own bearer: what was renamed since is nobody's to drop.
    """

    state: State
    name: str
    target: str
    run: str
    backup: str

    def over(self, comment: str) -> str:
        """The comment that carries this mark, with *comment* preserved below it."""
        line = (
            f"drillbook: {json.dumps(self.name)} {self.state} for {self.target} by run {self.run or '-'} "
            f"of {self.backup}"
        )
        return f"{line}\n{comment}" if comment else line


def read(comment: str) -> Mark | None:
    """The mark that *comment* carries."""
    found = _FORM.fullmatch(comment.partition("\n")[0])
    if found is None:
        return None
    state = next(known for known in get_args(State) if known == found["state"])
    return Mark(state, json.loads(found["name"]), found["target"], found["run"], found["backup"])


def without(comment: str) -> str:
    """*comment* as it was before it was marked."""
    return comment.partition("\n")[2] if read(comment) else comment
