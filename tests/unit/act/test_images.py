"""The practice stack's images are built once, however many processes want them at the same time."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from drillbook.act import images, install


def test_images_that_two_want_at_once_are_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second waits for the first, and then finds all of them there."""
    there, built = set[str](), list[str]()

    def build(name: str, wanted: str) -> None:
        time.sleep(0.05)  # long enough for the other one to want it too
        built.append(name)
        there.add(f"drillbook-{name}:{wanted}")

    monkeypatch.setattr(install, "state_folder", lambda: tmp_path)
    monkeypatch.setattr(images, "_there", lambda image: image in there)
    monkeypatch.setattr(images, "_ensure_base", lambda say: None)
    monkeypatch.setattr(images, "_build", build)
    with ThreadPoolExecutor(3) as pool:
        tags = set(pool.map(lambda _: images.ensure_images(lambda line: None), range(3)))
    assert tags == {images.tag()}
    assert sorted(built) == sorted(images.SERVICES)
