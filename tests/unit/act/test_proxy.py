"""A switch ends when the proxy has let go of what it knew, or when the time for that is over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import builders
import pytest

from drillbook.act import proxy, replicas
from drillbook.act.executor import Context
from drillbook.decide.plan import Step
from drillbook.errors import StepFailed

WORKER, LEAVING = "nginx: worker process", "nginx: worker process is shutting down"


def step(**args: Any) -> Step:
    given = {"service": "proxy", "test": [], "reload": [], "or_stays": False, "settle_seconds": 0.5, **args}
    return Step("switch-app1-1", "proxy.switch", "proxy", args=given)


def switched(monkeypatch: pytest.MonkeyPatch, folder: Path, *seen: Mapping[str, str] | None) -> Mapping[str, Any]:
    """What a switch tells when the engine shows *seen*, one after the other, and the last of it from then on."""
    left = list(seen)
    monkeypatch.setattr(proxy, "workers", lambda *_: left.pop(0) if len(left) > 1 else left[0])
    monkeypatch.setattr(proxy, "SETTLE_SECONDS", 0.01)
    monkeypatch.setattr(replicas, "of", lambda *_: [builders.container(service="proxy")])
    return proxy.switch(step(), Context(builders.target(folder / "target.yaml"), folder))


@pytest.mark.parametrize(
    "later",
    [
        pytest.param({"3": WORKER, "4": WORKER}, id="new ones have come and the old ones gone"),
        pytest.param({"1": LEAVING, "2": LEAVING, "3": WORKER}, id="old ones end what they have begun"),
    ],
)
def test_workers_that_are_replaced_end_the_switch(
    later: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as one of the old ones may take a request it waits, and no longer."""
    old = {"1": WORKER, "2": WORKER}
    told = switched(monkeypatch, tmp_path, old, old, {**old, **later, "2": WORKER}, later)
    assert (told["let_go"], told["workers"], told["not_replaced"]) == ("seen", 2, 0)
    assert told["settled_seconds"] < 0.5


@pytest.mark.parametrize("seen", [{"1": "caddy run"}, None], ids=["one process", "nothing can be told"])
def test_what_cannot_be_seen_gets_the_whole_time(
    seen: dict[str, str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that is a single process, and an engine whose host has no `ps`."""
    told = switched(monkeypatch, tmp_path, seen)
    assert told["let_go"] == "not seen"
    assert (told["workers"], told["not_replaced"]) == (len(seen or ()), len(seen or ()))
    assert told["settled_seconds"] >= 0.5


def test_what_the_engine_stops_telling_is_not_taken_for_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It told of two workers before the reload, and nothing afterwards."""
    told = switched(monkeypatch, tmp_path, {"1": WORKER, "2": WORKER}, None)
    assert (told["let_go"], told["not_replaced"]) == ("not seen", 2)
    assert told["settled_seconds"] >= 0.5


def test_proxy_that_does_not_run_learns_as_it_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A switch has nothing to tell it; a plan that begins with its test is refused."""
    monkeypatch.setattr(replicas, "of", lambda *_: [builders.container(service="proxy", running=False)])
    here = Context(builders.target(tmp_path / "target.yaml"), tmp_path)
    assert proxy.switch(step(reload=["nginx"]), here)["reloaded"] == ""
    with pytest.raises(StepFailed, match="no container of proxy runs"):
        proxy.test(step(test=["nginx", "-t"]), here)
