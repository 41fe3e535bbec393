"""A plan as a person reads it: what it touches, each step with its command, the way back, the fingerprint."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping, Sequence
from typing import Any

from drillbook.decide.plan import Plan, Step
from drillbook.show.caches import age, size
from drillbook.show.view import View, callout, folded, table


def plan(what: Plan) -> View:
    """What it means, what it touches, each step with its exact command and what brings back what it destroys."""
    title = f"Plan {what.fingerprint}: {len(what.steps)} steps on {what.target}"
    view = table(title, _steps(what.steps), mono=("command",), below="command")
    if what.objects:
        view = objects(what) + view
    if what.notes:
        view = (
            callout("note", f"The plan in short: {len(what.steps)} steps on {what.target}", _listed(what.notes)) + view
        )
    if what.back:
        told = f"The way back, taken by itself when a step fails once something was switched: {len(what.back)} steps"
        view += folded(told, table("The way back", _steps(what.back), mono=("command",), below="command"))
    return view + callout(
        "warn" if what.destroys else "note", "Destroys or moves", _listed(what.destroys) or "• nothing"
    )


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"• {line}" for line in lines)


def _steps(steps: Sequence[Step]) -> list[dict[str, object]]:
    return [
        {"#": number, "step": step.id, "on": step.subject, "command": _command(step),
         "destroys": "\n".join(step.destroys) or "nothing", "brought back by": step.recovers or "–"}
        for number, step in enumerate(steps, 1)
    ]  # fmt: skip


def objects(what: Plan) -> View:
    """What the plan touches, by scope: how big, how old, what becomes of it, what brings it back."""
    now = time.time()
    rows: list[dict[str, object]] = [
        {"scope": o.scope, "what": o.kind, "name": o.name, "size": size(o.bytes),
         "age": age(max(now - o.created, 0.0) if o.created else None), "becomes": o.destroys,
         "brought back by": o.recovers}
        for o in what.objects
    ]  # fmt: skip
    return table(f"What it touches: {len(rows)} objects", rows, mono=("name",))


def _command(step: Step) -> str:
    if step.argv:
        return shlex.join(step.argv)
    return step.sql or ", ".join(f"{key}={whole(value)}" for key, value in step.args.items())


def whole(value: Any) -> str:
    """A value of a step as a person reads it: plain words where it is flat, JSON where it is not."""
    nested = isinstance(value, Mapping) or (isinstance(value, list | tuple) and any(map(_is_nested, value)))
    if nested:
        return json.dumps(value, ensure_ascii=False)
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _is_nested(value: Any) -> bool:
    return isinstance(value, Mapping | list | tuple)
