"""What a run was asked to do, checked as far as it can be before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drillbook import home
from drillbook.errors import BadParameters, BadTarget
from drillbook.run import parameters
from drillbook.run.record import Record
from drillbook.run.runbooks import Runbook
from drillbook.suggest import nearest
from drillbook.target import Target, load_target


@dataclass(frozen=True)
class Asked:
    """A command line's wishes, as given."""

    target: str = ""
    given: Mapping[str, str] | None = None
    file: Path | Mapping[str, Any] | None = None
    approve: str = ""
    resume: str = ""

    def named_target(self) -> str:
        """The target that is meant, for the folder of a run that cannot start."""
        return self.target or str((self.given or {}).get("target", ""))


@dataclass(frozen=True)
class Order:
    """A run that may start: its runbook, target, all parameter values, and the run it resumes."""

    runbook: Runbook
    target: Target
    parameters: dict[str, Any]
    resume: str = ""


def check(runbook: Runbook, asked: Asked) -> Order:
    """*asked* as an order for *runbook*.

    Changes nothing.

    Raises:
        BadParameters: a parameter, the target, the approval or the run to resume is wrong.
    """
    file = asked.file if isinstance(asked.file, Mapping) else {}
    if isinstance(asked.file, Path):
        file = parameters.parameters_file(asked.file)
    given = dict(asked.given or {})
    if asked.target:
        _once(runbook, "target", asked.target, given, file, "--target")
    if asked.approve:
        _once(runbook, "approval", asked.approve, given, file, "--approve")
    values = parameters.resolve(runbook, given, file)
    name = asked.target or given.get("target") or file.get("target")
    if not name:
        raise BadTarget("no target was given", f"give --target; the targets are: {', '.join(_targets())}")
    target = load_target(str(name))
    if str(name).endswith((".yaml", ".yml")) and runbook.declares("target"):
        values["target"] = str(target.file)  # the kernel's working directory is another one
    return Order(runbook, target, values, _resumable(asked.resume, runbook, target))


def _once(runbook: Runbook, name: str, value: str, given: dict[str, str], file: Mapping[str, Any], option: str) -> None:
    """Put an option's value into *given*, unless the parameter was also given otherwise."""
    if not runbook.declares(name):
        if name == "target":
            return
        raise BadParameters(
            f"{runbook.path.name}: {option} was given, but this runbook asks for none", f"leave {option} out"
        )
    if (other := given.get(name, file.get(name, value))) != value:
        raise BadParameters(
            f"{runbook.path.name}: parameter {name}: given as {value!r} by {option} and as {other!r}", "give it once"
        )
    given[name] = value


def _targets() -> list[str]:
    return sorted(file.stem for file in home.targets().glob("*.yaml"))


def _resumable(run: str, runbook: Runbook, target: Target) -> str:
    """*run*, once it is known to be an ended run of the same runbook on the same target."""
    if not run:
        return ""
    place = home.outputs() / target.name
    if Path(run).name != run or not (place / run / "run.json").is_file():
        known = sorted(folder.name for folder in place.glob(f"*-{runbook.name}-*"))
        raise BadParameters(
            f"there is no run {run!r} on {target.name}",
            f"{nearest(run, known)}drillbook runs --target {target.name} lists them",
        )
    record = Record.load(place / run)
    if record.runbook != runbook.name:
        raise BadParameters(f"run {run} is of the runbook {record.runbook}, not {runbook.name}", "resume it with that")
    if record.status == "running":
        raise BadParameters(f"run {run} still runs", "wait until it has ended: drillbook runs")
    return run
