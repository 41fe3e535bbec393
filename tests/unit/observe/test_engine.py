"""The engine: which containers are this target's, and what is said when nothing answers."""

from __future__ import annotations

from pathlib import Path

import builders
import pytest

from drillbook.errors import EngineDown, RunbookError
from drillbook.observe import engine

OURS = {
    "com.docker.compose.project": "connect",
    "com.docker.compose.project.working_dir": builders.DIRECTORY,
    "com.docker.compose.project.config_files": f"{builders.DIRECTORY}/compose.yaml",
}


@pytest.mark.parametrize(
    ("changes", "ours"),
    [
        ({}, True),
        ({"com.docker.compose.project": "another"}, False),
        ({"com.docker.compose.project.working_dir": "/srv/another"}, False),
        ({"com.docker.compose.project.config_files": f"{builders.DIRECTORY}/other.yaml"}, False),
        ({"com.docker.compose.project.config_files": f"/x.yaml,{builders.DIRECTORY}/compose.yaml"}, True),
    ],
)
def test_all_three_labels_must_agree(changes: dict[str, str], *, ours: bool) -> None:
    """A container of a stack with the same name in another folder is never taken for this target's."""
    assert engine.is_ours(builders.target(), {**OURS, **changes}) is ours


def test_container_without_labels_is_not_ours() -> None:
    """A container that compose did not make is nobody's."""
    assert not engine.is_ours(builders.target(), {})


def test_engine_that_does_not_answer_is_a_fact(tmp_path: Path) -> None:
    """An engine that is down ends with a fact, a hint and the engine's own words as evidence."""
    stack = {"project": "connect", "directory": ".", "docker_host": f"unix://{tmp_path}/no.sock"}
    with pytest.raises(EngineDown, match=r"no\.sock does not answer") as caught:
        engine.client(builders.target(stack=stack))
    assert "start it" in caught.value.hint
    assert caught.value.evidence


def test_target_without_a_stack_says_so() -> None:
    """What needs a stack says that this target has none."""
    with pytest.raises(RunbookError, match="has no stack"):
        engine.stack_of(builders.database_target())
