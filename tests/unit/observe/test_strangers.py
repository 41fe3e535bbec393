"""Who else goes by the project's name: containers of other folders and other files, that compose takes for its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import builders
import pytest
from engines import CUT, serving_engine

from drillbook.errors import EngineDown, RunbookError
from drillbook.observe.facts import StrangerFact
from drillbook.observe.strangers import strangers

PROJECT = "com.docker.compose.project"


def row(name: str, directory: str = "/srv/other", state: str = "running", **labels: str) -> dict[str, Any]:
    """A container that compose made in *directory*, as the engine lists it."""
    told = {
        PROJECT: "connect",
        f"{PROJECT}.working_dir": directory,
        f"{PROJECT}.config_files": f"{directory}/compose.yaml",
        "com.docker.compose.service": "web",
        "com.docker.compose.config-hash": "4bdf",
        **labels,
    }
    return {"Id": "c" * 64, "Names": [f"/{name}"], "State": state, "Labels": told}


def asked(folder: Path, *rows: dict[str, Any], answer: tuple[int, Any] = (200, None)) -> tuple[StrangerFact, ...]:
    told = (200, list(rows)) if answer == (200, None) else answer
    with serving_engine(folder / "engine.sock", {"/containers/json": told}) as host:
        stack = {"project": "connect", "directory": builders.DIRECTORY, "docker_host": host}
        return strangers(builders.target(stack=stack))


def test_another_folder_and_other_files_are_strangers(tmp_path: Path) -> None:
    """In whatever state; by folder, files and name."""
    other = {f"{PROJECT}.config_files": f"{builders.DIRECTORY}/old.yaml,{builders.DIRECTORY}/more.yaml"}
    found = asked(
        tmp_path, row("b", state="exited"), row("c", builders.DIRECTORY, "paused", **other), row("a", "/srv/other")
    )
    files = ("/srv/other/compose.yaml",)
    assert found == (
        StrangerFact(
            "c", "web", builders.DIRECTORY, (f"{builders.DIRECTORY}/old.yaml", f"{builders.DIRECTORY}/more.yaml"), True
        ),
        StrangerFact("a", "web", "/srv/other", files, True),
        StrangerFact("b", "web", "/srv/other", files, False),
    )


def test_our_own_containers_are_none(tmp_path: Path) -> None:
    """Also one-off ones of `compose run`, and those that were made with one more file."""
    files = {f"{PROJECT}.config_files": f"{builders.DIRECTORY}/compose.yaml,{builders.DIRECTORY}/override.yaml"}
    ours = row("ours", builders.DIRECTORY)
    once = row("once", builders.DIRECTORY, **{"com.docker.compose.oneoff": "True"})
    assert asked(tmp_path, ours, once, row("more", builders.DIRECTORY, **files)) == ()


def test_labels_that_are_not_there_are_empty(tmp_path: Path) -> None:
    """An old compose told neither folder nor files; a container that is just being removed has no name."""
    bare = {**row("x"), "Names": [], "Labels": {PROJECT: "connect", "com.docker.compose.config-hash": "1"}}
    assert asked(tmp_path, bare) == (StrangerFact("c" * 12, "", "", (), True),)


def test_engine_that_cannot_tell_is_a_fact(tmp_path: Path) -> None:
    """Not that there are none: that it is not known."""
    with pytest.raises(RunbookError, match="could not tell the containers of its project name: no disk"):
        asked(tmp_path, answer=(500, {"message": "no disk"}))
    with pytest.raises(EngineDown, match="went away"):
        asked(tmp_path, answer=CUT)
