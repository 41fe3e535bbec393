"""New containers for old ones, on a fleet that is none: the whole way, the way back, and a cut at every step."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import builders
import pytest
from fleet import Fleet

from drillbook.act import build, endpoints, replicas, rollout, stack, way_back
from drillbook.act.executor import Context, execute
from drillbook.act.journal import Journal
from drillbook.decide.moves import moves
from drillbook.decide.plan import Plan, Step
from drillbook.decide.rehearsed import services_down
from drillbook.decide.rollout import rollout as planned
from drillbook.errors import StepFailed
from drillbook.observe import engine
from drillbook.observe.facts import ServiceFact
from drillbook.target import Target

OLD, NEW, TAG = builders.OLD, builders.NEW, "connect-app1"
BUILT = "connect-app1:drillbook-build-1"
MODULES = (build, replicas, rollout, way_back)
VERBS = (endpoints, stack)  # endpoints and volumes, of which this target has none, are asked for too
BOUND = "it publishes the host's port 80"


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """One container of `app1` on the old image, one of `queue`; the new image is built under a tag of its own."""
    folder = tmp_path / "site"
    folder.mkdir()
    images = {TAG: OLD, BUILT: NEW, "redis:7": "sha256:" + "e" * 64}
    made = Fleet(folder, {"app1": TAG, "queue": "redis:7"}, images, {"app1": ("queue",)})
    for service in made.services:
        made.box(service, 1)
    for module in MODULES:
        monkeypatch.setattr(module, "run_checked", made.command)
    monkeypatch.setattr(replicas, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(way_back, "WAIT_SECONDS", 2)
    monkeypatch.setattr(engine, "_client", lambda host: made)
    return made


def target(fleet: Fleet) -> Target:
    services = {"app1": {"response": ""}}
    section = {"project": "connect", "directory": ".", "services": services}
    return builders.target(fleet.directory / "target.yaml", stack=section, endpoints={})


def context(fleet: Fleet, name: str = "run", resumes: str = "") -> Context:
    folder = fleet.directory.parent / name
    folder.mkdir(exist_ok=True)
    return Context(target(fleet), folder, resumes=resumes)


def plan(fleet: Fleet, image: str = BUILT, **service: Any) -> Plan:
    """The rollout of `app1` as the fleet is now, without canary and proxy; two replicas stand for those that can."""
    fact = builders.service(**{"replicas": len(fleet.of("app1")), "depends": ("queue",), **service})
    facts = builders.healthy(
        containers=engine.containers(target(fleet)), services=(fact, ServiceFact("queue", "redis:7", "", ""))
    )
    described = target(fleet).stack
    assert described is not None
    found = planned(moves(described, facts, ["app1"], {"app1": image}), builders.COMPOSE, None, [])
    steps = tuple(replace(step, timeout_seconds=2) for step in found.steps if step.verb != "service.canary")
    return Plan("reset", "connect", "0", {}, steps, back=found.back, turns=found.turns)


def carry_out(fleet: Fleet, what: Plan, name: str = "run", watch: Callable[..., Any] = iter, resumes: str = "") -> None:
    there = context(fleet, name, resumes)
    execute(what, Journal(there.folder / "journal.jsonl"), there, watch)


def state(fleet: Fleet, service: str = "app1") -> list[tuple[str, str, bool]]:
    return sorted((box.name, box.image, box.running) for box in fleet.of(service))


def renewed(number: int) -> list[tuple[str, str, bool]]:
    return [(f"connect-app1-{n}", NEW, True) for n in range(1, number + 1)]


def scaled(fleet: Fleet, number: int) -> None:
    for n in range(2, number + 1):
        fleet.box("app1", n)


WAYS = [pytest.param(2, "", id="beside"), pytest.param(1, BOUND, id="swap"), pytest.param(3, BOUND, id="swap three"),
        pytest.param(3, "", id="three beside")]  # fmt: skip


@pytest.mark.parametrize(("number", "alone"), WAYS)
def test_new_ones_take_the_place_and_the_names_of_the_old(fleet: Fleet, number: int, alone: str) -> None:
    """As many as there were, on the proven image, under the old names; the tag means it, the neighbour is untouched."""
    scaled(fleet, number)
    old, queue = {box.id for box in fleet.boxes}, state(fleet, "queue")
    carry_out(fleet, plan(fleet, alone=alone))
    assert state(fleet) == renewed(number)
    assert not old & {box.id for box in fleet.of("app1")}
    assert (fleet.images[TAG], state(fleet, "queue")) == (NEW, queue)
    assert fleet.least["app1"] >= (number - 1 if alone else number)


def test_what_is_removed_leaves_its_log_and_no_value(fleet: Fleet) -> None:
    """Log and configuration of each old container lie in the run's folder; no value, and nothing of its command."""
    carry_out(fleet, plan(fleet, alone=BOUND))
    kept = context(fleet).folder / "kept" / "connect-app1-1"
    assert (kept / "log.txt").read_text().startswith("log of ")
    assert json.loads((kept / "inspect.json").read_text())["Config"]["Env"] == ["A"]
    assert "secret" not in (kept / "inspect.json").read_text()


@pytest.mark.parametrize(("number", "alone"), WAYS)
def test_sick_image_leads_back(fleet: Fleet, number: int, alone: str) -> None:
    """The old containers serve again, themselves; the new ones are gone, and the tag means what it meant."""
    scaled(fleet, number)
    before, ids = state(fleet), {box.id for box in fleet.boxes}
    fleet.sick = {NEW}
    with pytest.raises(StepFailed, match=r"did not get healthy: .* unhealthy; the way back was taken"):
        carry_out(fleet, plan(fleet, alone=alone))
    assert (state(fleet), fleet.images[TAG]) == (before, OLD)
    assert {box.id for box in fleet.boxes} == ids


def test_recreated_one_is_made_anew_on_the_way_there_and_back(fleet: Fleet) -> None:
    """Under a fixed name there is one or the other: the way back makes the old one anew from its image."""
    fleet.sick = {NEW}
    with pytest.raises(StepFailed, match="the way back was taken"):
        carry_out(fleet, plan(fleet, named="app", alone="its container has a fixed name, app"))
    assert (state(fleet), fleet.images[TAG]) == ([("connect-app1-1", OLD, True)], OLD)
    fleet.sick = set()
    carry_out(fleet, plan(fleet, named="app", alone="its container has a fixed name, app"), "again")
    assert state(fleet) == [("connect-app1-1", NEW, True)]
    lines = list(Journal(context(fleet, "again").folder / "journal.jsonl").lines())
    assert list(services_down(lines)) == ["app1"]


def test_what_did_not_run_does_not_run_after_the_way_back(fleet: Fleet) -> None:
    """A service that was down is not brought up by a reset that failed."""
    fleet.of("app1")[0].running = False
    fleet.sick = {NEW}
    with pytest.raises(StepFailed, match="the way back was taken"):
        carry_out(fleet, plan(fleet))
    assert (state(fleet), fleet.images[TAG]) == ([("connect-app1-1", OLD, False)], OLD)


def test_scaled_neighbour_keeps_its_number(fleet: Fleet) -> None:
    """Compose would take it for too many, and remove the newest: it is told the number that there is."""
    scaled(fleet, 2)
    for number in (2, 3):
        fleet.box("queue", number)
    before = state(fleet, "queue")
    carry_out(fleet, plan(fleet))
    assert state(fleet, "queue") == before


def sweep(fleet: Fleet, what: Plan, *sick: str) -> Iterator[str]:
    """Carry *what* out from the same start, cut after its first effect, its second …, until no cut comes any more.

    Gives the name of each run that was cut.
    """
    was = fleet.as_it_is()
    for at in range(1, 100):
        fleet.put_back(was, at, *sick)
        name = f"cut-{at}"
        try:
            carry_out(fleet, what, name)
        except KeyboardInterrupt:
            fleet.cut_after = -1
            yield name
        except StepFailed:
            break
        else:
            break
    else:
        pytest.fail("it never came to an end")
    assert at > 4


@pytest.mark.parametrize(("number", "alone"), WAYS)
def test_run_cut_after_any_effect_is_resumed_to_the_same_end(fleet: Fleet, number: int, alone: str) -> None:
    """A tag given, a container made, started, stopped, removed, renamed, and not recorded: the same plan goes on."""
    scaled(fleet, number)
    what = plan(fleet, alone=alone)
    for run in sweep(fleet, what):
        carry_out(fleet, what, f"after-{run}", resumes=run)
        assert (state(fleet), fleet.images[TAG]) == (renewed(number), NEW), run


@pytest.mark.parametrize(("number", "alone"), WAYS)
def test_way_back_cut_after_any_effect_is_resumed_to_the_new(fleet: Fleet, number: int, alone: str) -> None:
    """When what made the image sick is mended by then, the resumed run comes to its end."""
    scaled(fleet, number)
    what = plan(fleet, alone=alone)
    for run in sweep(fleet, what, NEW):
        fleet.sick = set()
        carry_out(fleet, what, f"after-{run}", resumes=run)
        assert (state(fleet), fleet.images[TAG]) == (renewed(number), NEW), run


@pytest.mark.parametrize("sick", [(), (NEW,)], ids=["cut on the way", "cut on the way or on the way back"])
@pytest.mark.parametrize(("number", "alone"), WAYS)
def test_sick_image_after_any_cut_leads_back_to_the_old(
    fleet: Fleet, number: int, alone: str, sick: tuple[str, ...]
) -> None:
    """A resumed run that finds the new ones sick brings the old ones back as if there had been no cut.

    Once an old one was removed nothing is brought back: all was well then, and the run says what it finds.
    """
    scaled(fleet, number)
    what, before = plan(fleet, alone=alone), state(fleet)
    for run in sweep(fleet, what, *sick):
        if len({box.id for box in fleet.boxes if box.image == OLD}) < number:
            continue
        fleet.sick = {NEW}
        with pytest.raises(StepFailed, match="the way back was taken"):
            carry_out(fleet, what, f"after-{run}", resumes=run)
        assert (state(fleet), fleet.images[TAG]) == (before, OLD), run


def cutting(step: str, *, done: bool = False) -> Callable[[Iterable[Step]], Iterator[Step]]:
    """Wraps a plan's steps so that the run is cut at *step*, after it was *done* or before."""

    def watch(steps: Iterable[Step]) -> Iterator[Step]:
        for each in steps:
            if each.id == step and not done:
                raise KeyboardInterrupt
            yield each
            if each.id == step:
                raise KeyboardInterrupt

    return watch


def test_last_one_that_serves_is_not_drained(fleet: Fleet) -> None:
    """When the new ones are gone by the time of the drain, the old one stays."""
    scaled(fleet, 2)
    drain = next(step for step in plan(fleet).steps if step.verb == "service.drain")
    for box in fleet.of("app1")[1:]:
        box.running = False
    with pytest.raises(StepFailed, match="connect-app1-1 is the only one of app1 that runs"):
        rollout.drain(drain, context(fleet))
    assert fleet.of("app1")[0].running


@pytest.mark.parametrize("runs", [True, False], ids=["an old one runs again", "no new one runs"])
def test_nothing_is_retired_that_serves_or_has_no_heir(fleet: Fleet, runs: bool) -> None:
    """Before anything is removed the new ones are looked for, and the old ones must be down."""
    scaled(fleet, 2)
    what = plan(fleet)
    at = [step.id for step in what.steps].index("retire-app1")
    with pytest.raises(KeyboardInterrupt):
        carry_out(fleet, what, watch=cutting("retire-app1"))
    for box in fleet.of("app1"):
        box.running = runs and box.image == OLD
    there = state(fleet)
    with pytest.raises(StepFailed, match="so nothing is removed"):
        rollout.retire(what.steps[at], context(fleet))
    assert state(fleet) == there


def test_container_of_another_image_is_not_started(fleet: Fleet) -> None:
    """Who tags in the midst of a reset is found out before his image serves; then the old ones serve on."""
    scaled(fleet, 2)
    what = plan(fleet)

    def watch(steps: Iterable[Step]) -> Iterator[Step]:
        for each in steps:
            if each.id == "green-app1-1":
                fleet.images[TAG] = "sha256:" + "f" * 64
            yield each

    with pytest.raises(StepFailed, match="was made from another image than the proven one"):
        carry_out(fleet, what, watch=watch)
    assert [(image, running) for _, image, running in state(fleet)] == [(OLD, True), (OLD, True)]


def test_compose_that_makes_nothing_is_found_out(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that ends with 0 and does nothing is no success."""
    scaled(fleet, 2)
    what = plan(fleet)
    monkeypatch.setattr(fleet, "_up", lambda words: None)
    with pytest.raises(StepFailed, match="compose made no new container of app1"):
        carry_out(fleet, what)


def test_way_back_says_when_an_old_container_is_gone(fleet: Fleet) -> None:
    """It does not make believe: the image is kept, and the rollback is the way."""
    scaled(fleet, 2)
    what = plan(fleet)
    gone = fleet.of("app1")[0]
    gone.running = False
    fleet.boxes.remove(gone)
    with pytest.raises(StepFailed, match=f"the old container {gone.id[:12]} of app1 is not there any more") as caught:
        way_back.back(what.back[0], context(fleet))
    assert "drillbook run rollback" in caught.value.hint


def test_new_ones_stay_when_no_old_one_serves(fleet: Fleet) -> None:
    """Removing them would leave nothing: the way back ends there and says so."""
    scaled(fleet, 2)
    what = plan(fleet)
    with pytest.raises(KeyboardInterrupt):
        carry_out(fleet, what, watch=cutting("ask-endpoints"))
    there = state(fleet)
    remove = next(step for step in what.back if step.verb == "service.remove_new")
    with pytest.raises(StepFailed, match="no old container of app1 runs, so the new ones stay"):
        way_back.remove_new(remove, context(fleet))
    assert state(fleet) == there


def test_log_that_cannot_be_read_keeps_nobody_from_anything(fleet: Fleet) -> None:
    """A service whose logging driver keeps nothing can be reset too: the engine's words are kept instead."""
    fleet.mute = True
    carry_out(fleet, plan(fleet, alone=BOUND))
    log = context(fleet).folder / "kept" / "connect-app1-1" / "log.txt"
    assert log.read_text() == "its log cannot be read: configured logging driver does not support reading\n"
    assert state(fleet) == [("connect-app1-1", NEW, True)]
