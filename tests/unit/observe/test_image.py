"""An image as the engine tells it."""

from __future__ import annotations

from pathlib import Path

import builders
import docker
import pytest
from engines import CUT, serving_engine

from drillbook.errors import EngineDown, RunbookError
from drillbook.observe.image import image_fact, seconds

SEEN = {
    "Id": builders.NEW, "Created": "2025-10-13T02:00:00.123456789Z", "Size": 404,
    "RootFS": {"Layers": ["sha256:1", "sha256:2"]}, "Config": {"Labels": {"revision": "abc"}},
}  # fmt: skip
HISTORY = [{"Created": 1760320800, "CreatedBy": "COPY . .", "Size": 12, "Tags": None}]


def test_image_is_told_with_layers_labels_and_history(tmp_path: Path) -> None:
    """Layers are the file systems' digests, lowest first; times are seconds since 1970."""
    answers = {"/images/x/json": (200, SEEN), "/images/x/history": (200, HISTORY)}
    with serving_engine(tmp_path / "s", answers) as host:
        fact = image_fact(docker.DockerClient(base_url=host), "x", "connect-app1")
    assert (fact.id, fact.reference, fact.bytes) == (builders.NEW, "connect-app1", 404)
    assert (fact.layers, fact.labels["revision"]) == (("sha256:1", "sha256:2"), "abc")
    assert [(row.created, row.command, row.bytes) for row in fact.history] == [(1760320800.0, "COPY . .", 12)]
    assert int(fact.created) == 1760320800


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        ((404, {"message": "no"}), RunbookError, "has no image connect-app1"),
        ((500, {"message": "broken"}), RunbookError, "could not tell"),
        (CUT, EngineDown, "went away"),
    ],
)
def test_image_that_cannot_be_told_is_a_fact(tmp_path: Path, answer: object, error: type[Exception], says: str) -> None:
    """An image that is gone, an engine that fails and one that goes away are told apart."""
    with (
        serving_engine(tmp_path / "s", {"/images/x/json": answer}) as host,  # type: ignore[dict-item]
        pytest.raises(error, match=says),
    ):
        image_fact(docker.DockerClient(base_url=host), "x", "connect-app1")


@pytest.mark.parametrize(("stamp", "told"), [("", 0.0), ("0001-01-01T00:00:00Z", 0.0), ("1970-01-01T00:01:00Z", 60.0)])
def test_time_that_the_engine_does_not_know_is_zero(stamp: str, told: float) -> None:
    """The engine's year 1 is no time."""
    assert seconds(stamp) == told
