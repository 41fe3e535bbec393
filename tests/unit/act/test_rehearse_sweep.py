"""Whose a copy is, which names are a copy's, and that no image of the target's goes with its last name."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from ghost import ghost_owner

from drillbook.act.rehearsal import KEPT, LABEL
from drillbook.act.rehearse_sweep import Left, _untag, is_copy_tag
from drillbook.act.scratch_marks import KEPT_SECONDS
from drillbook.observe import holder
from drillbook.observe.owner import ourselves

TAG = "connect-rehearsal-0a1b2c-app1:latest"
DEAD = ghost_owner()
OTHER = ourselves() | {"pid": str(os.getppid()), "pid_started": holder.of(os.getppid()).pid_started}


@pytest.mark.parametrize(
    ("tag", "is_ours"),
    [
        (TAG, True),
        ("connect-rehearsal-0a1b2c-app1:drillbook-kept-0123456789ab", True),
        ("<none>:<none>", True),
        ("connect-app1:latest", False),
        ("rehearsal-try-app1:latest", False),
        ("connect-rehearsal-0a1b2:latest", False),
        ("registry:5000/connect-rehearsal-0a1b2c-app1/x:1", False),
    ],
)
def test_names_that_a_copy_gave(tag: str, is_ours: bool) -> None:
    """Only those are taken away."""
    assert is_copy_tag(tag) is is_ours


class Engine:
    """Images with their names and labels; one goes with its last name, as on the engine."""

    def __init__(self, **images: list[str]) -> None:
        self.images_, self.labels = {key: list(names) for key, names in images.items()}, dict[str, Any]()

    def _of(self, name: str) -> str:
        return next(key for key, names in self.images_.items() if name in names)

    def inspect_image(self, name: str) -> dict[str, Any]:
        key = self._of(name)
        return {"RepoTags": self.images_[key], "Config": {"Labels": self.labels.get(key)}}

    def images(self) -> list[dict[str, Any]]:
        return [{"Id": key, "RepoTags": names or None} for key, names in self.images_.items()]

    def tag(self, image: str, repository: str, version: str) -> None:
        name = f"{repository}:{version}"
        self.images_[self._of(name)].remove(name)
        self.images_[image].append(name)

    def remove_image(self, name: str) -> None:
        key = self._of(name)
        self.images_[key].remove(name)
        if not self.images_[key]:
            del self.images_[key]


def test_an_image_of_the_target_s_stays_without_a_name() -> None:
    """It had lost its tag to a rebuild, and runs on: the copy's name was its only one."""
    engine = Engine(old=[TAG], new=["connect-app1:latest"])
    _untag(engine, TAG)
    assert engine.images_ == {"old": [], "new": ["connect-app1:latest"]}


def test_an_image_that_has_a_name_of_its_own_just_loses_the_copy_s() -> None:
    """Nothing else changes."""
    engine = Engine(app=["connect-app1:latest", TAG])
    _untag(engine, TAG)
    assert engine.images_ == {"app": ["connect-app1:latest"]}


def test_an_image_that_was_built_for_the_copy_goes() -> None:
    """Its label says so."""
    engine = Engine(built=[TAG], app=["connect-app1:latest"])
    engine.labels["built"] = {LABEL: "x"}
    _untag(engine, TAG)
    assert engine.images_ == {"app": ["connect-app1:latest"]}


def test_a_copy_lives_as_long_as_its_process(tmp_path: Path) -> None:
    """This process is about to make one, so an earlier one of its own is over; one that was kept is nobody's."""
    assert Left("p", "i", tmp_path, OTHER).is_alive
    assert not Left("p", "i", tmp_path, DEAD).is_alive
    assert not Left("p", "i", tmp_path, ourselves()).is_alive
    assert Left("p", "i", tmp_path, {**DEAD, "host": "elsewhere"}).is_alive, "nobody here can know"


def test_a_kept_copy_stays_for_a_day(tmp_path: Path) -> None:
    """And then it is swept, whether its process lives or not."""
    left = Left("p", "i", tmp_path, {**DEAD, "host": "elsewhere"})
    (tmp_path / KEPT).touch()
    assert (left.is_kept, left.is_alive) == (True, False)
    yesterday = time.time() - KEPT_SECONDS - 60
    os.utime(tmp_path / KEPT, (yesterday, yesterday))
    assert (left.is_kept, left.is_alive) == (False, False)
