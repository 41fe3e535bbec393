"""The shell: `drillbook …`. Slow libraries are imported by the command that needs them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from drillbook.errors import BadParameters, RunbookError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
audit = typer.Typer(no_args_is_help=True, help="Check the ledger of runs.")
sandbox = typer.Typer(no_args_is_help=True, help="The practice stack, breakable on purpose.")
app.add_typer(audit, name="audit")
app.add_typer(sandbox, name="sandbox")

TargetOption = Annotated[str, typer.Option("--target", "-t", help="A file in parameters/targets/, without .yaml.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON alone on standard output.")]
Given = Annotated[list[str] | None, typer.Option("-p", metavar="K=V", help="A parameter; text stays text.")]
FileOption = Annotated[Path | None, typer.Option("-f", metavar="FILE", help="Parameters in YAML; -p wins.")]
ProjectOption = Annotated[str, typer.Option(help="The sandbox's compose project.")]


@app.command("list")
def list_runbooks() -> None:
    """The runbooks, by symptom, with their parameters."""
    from drillbook.run import listing, runbooks

    listing.runbooks(runbooks.every())


@app.command()
def run(  # noqa: PLR0913, PLR0917 - a command's options are its arguments
    runbook: str,
    target: TargetOption = "",
    p: Given = None,
    f: FileOption = None,
    approve: Annotated[str, typer.Option(metavar="FINGERPRINT", help="The fingerprint of the plan you read.")] = "",
    resume: Annotated[str, typer.Option(metavar="RUN", help="An ended run to go on with.")] = "",
    cell_timeout: Annotated[int | None, typer.Option(min=1, metavar="SECONDS", help="What one cell may take.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Run a runbook unattended.

    Exit codes: 0 succeeded, 1 failed, 2 bad parameters or profile, 3 refused
    (approval needed), 4 the target is locked, 143/130 ended by a signal.
    """
    from drillbook.run import listing
    from drillbook.run.runner import run_runbook

    try:
        record = run_runbook(runbook, target, pairs(p or []), f, approve, resume, cell_timeout=cell_timeout)
    except RunbookError as error:
        if as_json:
            listing.print_json(_never_began(runbook, target, error))
        raise
    if as_json:
        listing.print_json(record.data)
    else:
        listing.ending(record)
    listing.complaint(record)
    raise typer.Exit(record.exit_code or 0)


@app.command()
def runs(target: TargetOption = "", as_json: JsonOption = False) -> None:
    """The runs, newest first; those found dead are settled."""
    from drillbook.run import ledger, listing

    records = ledger.settle_all(target)
    if as_json:
        listing.print_json([record.data for record in records])
    else:
        listing.runs(records)


@audit.command("verify")
def audit_verify() -> None:
    """Check the ledger's chain and every executed copy; exit 1 when something was changed."""
    from drillbook.run import ledger

    wrong = ledger.verify()
    for line in wrong:
        print(line)
    if wrong:
        raise RunbookError(
            f"the ledger or a copy does not hold: {len(wrong)} findings", f"compare {ledger.file()} with a backup of it"
        )
    print("the ledger and every executed copy are as they were entered")


@app.command()
def backups(target: TargetOption = "", as_json: JsonOption = False) -> None:
    """The vault, with each backup's verdict and age."""
    from drillbook.run import listing
    from drillbook.target import load_target
    from drillbook.vault.catalog import Vault

    described = load_target(_needed(target))
    listing.backups(Vault.of(described).backups(), as_json)


@app.command("open")
def open_runbook(
    runbook: str,
    target: TargetOption = "",
    p: Given = None,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
) -> None:
    """Open a working copy of a runbook in JupyterLab."""
    from drillbook.run import lab

    raise typer.Exit(lab.open_runbook(runbook, target, pairs(p or []), browser=browser))


@app.command()
def doctor(target: TargetOption = "") -> None:
    """What is missing on this machine, each line with its remedy."""
    from drillbook.run import doctor, listing

    findings = doctor.examine(target)
    listing.findings(findings)
    raise typer.Exit(1 if any(finding.standing == "missing" for finding in findings) else 0)


@sandbox.command("up")
def sandbox_up(
    project: ProjectOption = "connect",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the site answers.")] = 8080,
    rows: Annotated[int, typer.Option(min=0, help="Further rows in the largest table.")] = 0,
) -> None:
    """Make the practice stack, healthy, whatever an earlier one left; without an engine its database alone."""
    from drillbook.run import listing, sandbox

    listing.print_json(sandbox.up(project, port, rows))


class _Breakages(TyperCommand):
    """A command whose help ends with what it can break."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from drillbook.run.sandbox import breakages

        self.epilog = "\n\n".join(f"{name}: {what}" for name, what in breakages().items())
        super().format_help(ctx, formatter)


@sandbox.command("break", cls=_Breakages)
def sandbox_break(how: str, project: ProjectOption = "connect") -> None:
    """Break the practice stack as HOW names it, for real; `sandbox up` heals it. Without an engine: lost-schema."""
    from drillbook.run import listing, sandbox

    listing.print_json(sandbox.break_(how, project))


@sandbox.command("down")
def sandbox_down(project: ProjectOption = "connect") -> None:
    """Remove the practice stack, and nothing else."""
    from drillbook.run import listing, sandbox

    listing.print_json(sandbox.down(project))


@sandbox.command("engine", hidden=True)
def sandbox_engine() -> None:
    """Use the engine that answers, else install and start one."""
    from drillbook.act import install

    raise typer.Exit(install.main())


@app.command()
def demo() -> None:
    """The whole incident, played and resolved, on the sandbox."""
    from drillbook.act.install import ensure_engine
    from drillbook.run.demo import play

    raise typer.Exit(play(ensure_engine()))


def pairs(given: list[str]) -> dict[str, str]:
    """`K=V` texts as a mapping.

    Raises:
        BadParameters: one has no name, or a name comes twice with different values.
    """
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise BadParameters(f"-p {name} is not K=V", "write -p NAME=VALUE")
        if found.setdefault(name, value) != value:
            raise BadParameters(f"parameter {name} was given twice, with different values", "give it once")
    return found


def main() -> None:
    """Run the shell; a foreseen error ends it with its fact, its hint and its exit code."""
    try:
        app(prog_name="drillbook")
    except RunbookError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


def _needed(target: str) -> str:
    if not target:
        from drillbook.run.listing import targets

        raise BadParameters("no target was given", f"give --target; the targets are: {', '.join(targets())}")
    return target


def _never_began(runbook: str, target: str, error: RunbookError) -> dict[str, Any]:
    """What `--json` prints when there is not even a folder to keep a record in."""
    told = {"type": type(error).__name__, "fact": error.fact, "hint": error.hint}
    end = {"status": error.status, "reason": error.reason, "exit_code": error.exit_code}
    return {"format": 1, "run": None, "runbook": runbook, "target": target, **end, "error": told, "result": None}


if __name__ == "__main__":
    main()
