"""The names under which images are kept: drillbook's own tags, in the image's own repository."""

from __future__ import annotations

from dataclasses import replace

import builders
import pytest

from drillbook.decide.image_names import images_kept, kept_tag, repository

NEW, OLD = builders.NEW, builders.OLD


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("app", "app"),
        ("app:1", "app"),
        ("host:5000/app", "host:5000/app"),
        ("host:5000/team/app:1.2", "host:5000/team/app"),
        ("host:5000/app@sha256:" + "a" * 64, "host:5000/app"),
        ("app:1@sha256:" + "a" * 64, "app"),
        ("sha256:" + "a" * 64, "drillbook/unnamed"),
        ("a" * 64, "drillbook/unnamed"),
        ("a" * 12, "a" * 12),
        ("", "drillbook/unnamed"),
    ],
)
def test_repository_of_a_reference(reference: str, name: str) -> None:
    """Without tag and digest, with a registry's port; a bare id has no name that a tag could be given in."""
    assert repository(reference) == name


def test_what_most_of_them_run_is_kept_first() -> None:
    """A rollback of a service that ran two images brings back the one that more of its containers ran."""
    one, two, three = builders.replicas(3)
    kept = images_kept([replace(one, image_id=OLD), two, three])
    assert list(kept.items()) == [(kept_tag(two), NEW), (kept_tag(replace(one, image_id=OLD)), OLD)]
