"""Where the house stands: runbooks, parameters, outputs, sandbox."""

from __future__ import annotations

import os
from pathlib import Path

from drillbook.errors import RunbookError


def home() -> Path:
    """The folder that holds `runbooks/` and `parameters/`.

    `DRILLBOOK_HOME` decides when it is set; else the nearest such folder
    upwards of the working directory; else the checkout this library lies in.

    Raises:
        RunbookError: none of them holds both folders.
    """
    named = os.environ.get("DRILLBOOK_HOME")
    here = Path.cwd()
    places = [Path(named)] if named else [here, *here.parents, Path(__file__).resolve().parents[2]]
    for place in places:
        if (place / "runbooks").is_dir() and (place / "parameters").is_dir():
            return place.resolve()
    raise RunbookError(
        f"no folder with runbooks/ and parameters/ at or above {named or here}",
        "change into the drillbook checkout, or set DRILLBOOK_HOME to it",
    )


def runbooks() -> Path:
    """The folder of the runbooks."""
    return home() / "runbooks"


def targets() -> Path:
    """The folder of the target files."""
    return home() / "parameters" / "targets"


def incidents() -> Path:
    """The folder of the known incidents."""
    return home() / "parameters" / "incidents"


def outputs() -> Path:
    """The folder of the runs and the ledger; `DRILLBOOK_OUTPUTS` moves it."""
    named = os.environ.get("DRILLBOOK_OUTPUTS")
    return Path(named).resolve() if named else home() / "outputs"


def sandbox() -> Path:
    """The folder of the practice stack."""
    return home() / "sandbox"
