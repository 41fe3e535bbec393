"""A base is stale when its tag moved on since the image was built on it: told by layers and by its own time."""

from __future__ import annotations

from dataclasses import replace

import builders
import pytest
from builders import dockerfile

from drillbook.decide.evidence import Evidence
from drillbook.decide.freshness import freshness
from drillbook.observe.facts import BaseFact, ImageFact
from drillbook.observe.facts_code import LayerFact

BUILT = dockerfile(("FROM", "node:20"), ("WORKDIR", "/app"), ("COPY", ". ."), ("RUN", "node build.mjs"))
BASE = (LayerFact(90.0, "ADD rootfs.tar /", 1), LayerFact(100.0, "RUN /bin/sh -c apt-get -q -y install nodejs", 1))
OWN = (
    LayerFact(300.0, "WORKDIR /app", 1), LayerFact(310.0, "COPY . . # buildkit", 1),
    LayerFact(320.0, "RUN /bin/sh -c node build.mjs # buildkit", 1),
)  # fmt: skip
CLASSIC = (
    LayerFact(300.0, "/bin/sh -c #(nop) WORKDIR /app", 1), LayerFact(310.0, "/bin/sh -c #(nop) COPY dir:0 in .", 1),
    LayerFact(320.0, "/bin/sh -c node build.mjs", 1),
)  # fmt: skip


def seen(layers: tuple[str, ...], created: float, history: tuple[LayerFact, ...]) -> Evidence:
    """An image of layers 1 2 3, made at 320 with this history, lowest first; its base's tag means *layers* now."""
    image = ImageFact(builders.NEW, "connect-app1", 320.0, 1, ("1", "2", "3"), history=history[::-1])
    base = BaseFact("app1", "node:20", "sha256:" + "c" * 64, layers, created)
    given = {"engine_images": {builders.NEW: image}, "bases": {"app1": base}, "dockerfiles": {"app1": BUILT}}
    return next(e for e in freshness(builders.healthy(**given)) if e.id == "base:app1")


@pytest.mark.parametrize("own", [OWN, CLASSIC])
@pytest.mark.parametrize(
    ("layers", "created", "verdict"),
    [
        (("1", "2"), 100.4, "pass"),
        (("1", "9"), 400.0, "fail"),
        (("1", "9"), 200.0, "fail"),
        (("1", "9"), 50.0, "pass"),
        (("1", "9"), 100.4, "unknown"),
        (("1", "9"), 0.0, "unknown"),
    ],
)
def test_a_tag_that_moved_on(layers: tuple[str, ...], created: float, verdict: str, own: tuple[LayerFact, ...]) -> None:
    """A newer base is stale although it was made before the image was: a vendor makes it days before it is pulled.

    A tag that is older than the base that the build took was passed by; the same second decides nothing.
    """
    assert seen(layers, created, BASE + own).verdict == verdict


@pytest.mark.parametrize(
    "history", [(), OWN, BASE[:1] + OWN[1:], (*BASE, LayerFact(0.0, "squashed", 1)), (*BASE, *OWN[1:], OWN[0])]
)
def test_a_history_that_does_not_tell_is_unknown(history: tuple[LayerFact, ...]) -> None:
    """Squashed, imported, or made by another Dockerfile: other layers alone do not say which is older."""
    assert seen(("1", "9"), 400.0, history).verdict == "unknown"


def test_stages_that_stand_on_each_other_are_counted_through() -> None:
    """The last stage stands on one of the same file: its steps are in the history, too."""
    lines = dockerfile(("FROM", "node:20 AS base"), ("WORKDIR", "/app"))
    more = dockerfile(("FROM", "base"), ("COPY", ". ."), ("RUN", "node build.mjs")).instructions
    staged = replace(lines, instructions=(*lines.instructions, *(replace(i, stage=1) for i in more)))
    image = ImageFact(builders.NEW, "connect-app1", 320.0, 1, ("1", "2", "3"), history=(BASE + OWN)[::-1])
    base = BaseFact("app1", "node:20", "sha256:" + "c" * 64, ("1", "9"), 200.0)
    given = {"engine_images": {builders.NEW: image}, "bases": {"app1": base}, "dockerfiles": {"app1": staged}}
    found = {e.id: e.verdict for e in freshness(builders.healthy(**given))}
    assert found["base:app1"] == "fail"
