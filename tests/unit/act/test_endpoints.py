"""Endpoints asked between the steps of a rollout: what was well stays well, and only a proven build may answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import builders
import pytest
from servers import Site, serving

from drillbook.act import endpoints
from drillbook.act.executor import Context
from drillbook.decide.plan import Step
from drillbook.errors import StepFailed


def context(site: Site, folder: Path, **state: Any) -> Context:
    """A target whose endpoint `good` tells build b1, and whose endpoint `broken` answers 500."""
    endpoints = {"good": {"url": f"{site.url}/good", "build_id": "build"}, "broken": {"url": f"{site.url}/broken"}}
    return Context(builders.target(folder / "target.yaml", endpoints=endpoints), folder, dict(state))


def answered(here: Context, build: str = "") -> Any:
    """The good endpoint alone, asked three times."""
    good = {"good": here.target.endpoints["good"]}
    here.target = here.target.model_copy(update={"endpoints": good})
    return endpoints.answer(Step("ask-endpoints", "endpoints.answer", "x", args={"build_id": build, "times": 3}), here)


def test_the_proven_build_answers(tmp_path: Path) -> None:
    """As often as the step says."""
    with serving() as site:
        told = answered(context(site, tmp_path, builds={"app1": "b1", "scraper": ""}))
    assert told == {"verdict": "pass", "answers": {"good": [200, 200, 200]}, "told": ["b1"], "builds": ["b1"]}


def test_another_build_than_the_proven_one_is_a_failure(tmp_path: Path) -> None:
    """An old container still answers, or a cache does."""
    with serving() as site, pytest.raises(StepFailed, match="it tells build b1, the proven one is b2"):
        answered(context(site, tmp_path, builds={"app1": "b2"}))


@pytest.mark.parametrize(("asked_for", "verdict"), [("b1", "pass"), ("b2", "unknown"), ("", "unknown")])
def test_a_build_that_no_image_tells_is_held_against_the_one_that_was_asked_for(
    tmp_path: Path, asked_for: str, verdict: str
) -> None:
    """Else it is unknown: nobody says that the application tells the build that it was given."""
    with serving() as site:
        assert answered(context(site, tmp_path), asked_for)["verdict"] == verdict


def test_what_answers_wrong_is_a_failure(tmp_path: Path) -> None:
    """Any endpoint, whatever it was before."""
    with serving() as site, pytest.raises(StepFailed, match="/broken answers 500"):
        here = context(site, tmp_path)
        endpoints.answer(Step("ask-endpoints", "endpoints.answer", "x", args={"build_id": "", "times": 1}), here)


def test_only_what_was_well_must_stay_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The incident's own endpoint does not stop its reset; one that was well, and is not, does."""
    monkeypatch.setattr(endpoints, "WAIT_SECONDS", 0.5)
    step = Step("well-app1", "endpoints.hold", "what was well before", args={"service": "app1"})
    with serving() as site:
        here = context(site, tmp_path, well=["good"])
        assert endpoints.hold(step, here) == {"well": ["good"]}
        site.down = True
        with pytest.raises(StepFailed, match=r"/good answers 503 \(it was well before this plan began\)"):
            endpoints.hold(step, here)
