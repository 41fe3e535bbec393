"""Early-warning signs: how many answers fail, when was deployed, how often was rebuilt since all was well."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from drillbook.observe import engine
from drillbook.observe.facts import ContainerFact, ImageFact, ResponseFact
from drillbook.observe.facts_signs import SignsFact
from drillbook.observe.files import spoken_for
from drillbook.observe.image import seconds
from drillbook.observe.logs import heard
from drillbook.observe.prometheus import error_percent
from drillbook.observe.unknowns import Unknowns
from drillbook.target import Target

FEWEST_REQUESTS = 10
LATELY_SECONDS = 3600
"""Requests of longer ago say nothing of how things are now."""
WEEK_SECONDS = 7 * 86_400
SERVICE, IMAGE = "com.docker.compose.service", "com.docker.compose.image"
Reading = tuple[float | None, int, str]


def signs(
    target: Target, containers: tuple[ContainerFact, ...], images: Mapping[str, ImageFact],
    responses: tuple[ResponseFact, ...], healthy_at: float, revised: float = 0.0,
) -> SignsFact:  # fmt: skip
    """The signs as they are now. Changes nothing. Without *healthy_at* rebuilds are counted for a week.

    What cannot be asked is named in `unknown`, with the reason.
    """
    now, rule, unknown = time.time(), target.signs, Unknowns()
    since = healthy_at or now - WEEK_SECONDS
    said = heard(target, containers, rule.log_lines, rule.log_pattern)
    percent, asked, source = _rate(target, responses, said.statuses, now, unknown)
    moments = {
        "container": max((seconds(c.created) for c in containers), default=0.0),
        "image": max((i.created for i in images.values()), default=0.0),
        "commit": revised,
    }
    latest = max(moments, key=lambda name: moments[name])
    rebuilds, whole = unknown.attempt("rebuilds", lambda: _rebuilds(target, since), ({}, False))
    return SignsFact(
        error_percent=percent,
        asked=asked,
        source=source,
        deployed_at=moments[latest],
        deployed_by=latest if moments[latest] else "",
        healthy_at=healthy_at,
        rebuilds=rebuilds,
        rebuilds_whole=whole,
        logs=said.errors,
        observed_at=now,
        unknown={**unknown, **said.unread},
    )


def _rate(
    target: Target,
    responses: Iterable[ResponseFact],
    statuses: Iterable[tuple[str, int]],
    now: float,
    unknown: Unknowns,
) -> Reading:
    """The share of failing answers: Prometheus's, else the greater of its worst endpoint's and the access log's."""
    if named := target.signs.prometheus:
        percent = unknown.attempt("Prometheus", lambda: error_percent(named), None)
        if percent is not None:
            return percent, 0, "Prometheus"
        unknown.setdefault("Prometheus", "its query gives no number now; the endpoints are told instead")
    readings = list(_endpoints([fact for fact in responses if fact.via == "proxy"]))
    since = datetime.fromtimestamp(now - LATELY_SECONDS, UTC).isoformat()
    lately = [status for moment, status in statuses if moment >= since]
    if len(lately) >= FEWEST_REQUESTS:
        failing = sum(status >= 500 for status in lately)
        readings.append((100 * failing / len(lately), len(lately), "access log of the last hour"))
    return max(readings, key=lambda reading: reading[0] or 0.0, default=(None, 0, ""))


def _endpoints(through: list[ResponseFact]) -> Iterator[Reading]:
    """The share of each endpoint by itself: one that always fails is not made better by nine that work."""
    for name in dict.fromkeys(fact.endpoint for fact in through):
        own = [fact for fact in through if fact.endpoint == name]
        bad = sum(fact.times for fact in own if fact.status != fact.expected_status)
        asked = sum(fact.times for fact in own)
        yield 100 * bad / asked, asked, f"endpoint {name}"


def _rebuilds(target: Target, since: float) -> tuple[dict[str, int], bool]:
    """service → different images made since, by the images that are there and what the engine remembers.

    Also whether the engine remembers all that it did since; if not, images that were removed may be missing.

    A build with BuildKit makes no event: an image that was built, never started and
    removed is known by its removal alone.

    Raises:
        RunbookError: the engine could not tell.
    """
    api, made, old = engine.client(target).api, dict[str, set[str]](), set[str]()
    with spoken_for("the list of images"):
        for service, image, when in (*_there(api, target), *_remembered(api, target)):
            if when < since:
                old.add(image)
            else:
                made.setdefault(service, set()).add(image)
        old |= _older(api, {image for found in made.values() for image in found}, since)
        whole = _remembers_since(api) <= since
    return {service: len(found - old) for service, found in sorted(made.items()) if found - old}, whole


def _remembers_since(api: Any) -> float:
    """When the oldest event was that the engine still knows: it keeps the last 256 and forgets all when it starts."""
    oldest: dict[str, Any] = next(api.events(since=1, until=time.time(), decode=True), {})
    return float(oldest["timeNano"]) / 1e9 if oldest else time.time()


def _there(api: Any, target: Target) -> Iterator[tuple[str, str, float]]:
    """service, image and when it was made, of the images that compose built; those without a name too."""
    for row in api.images(filters={"label": f"{engine.PROJECT}={engine.stack_of(target).project}"}):
        if service := (row.get("Labels") or {}).get(SERVICE, ""):
            yield service, row["Id"], float(row["Created"])


def _remembered(api: Any, target: Target) -> Iterator[tuple[str, str, float]]:
    """service, image and when, of containers that were made and images that lost their name.

    An image that was in use before is no new one.
    """
    filters = {"type": ["container", "image"], "event": ["create", "untag"],
               "label": [f"{engine.PROJECT}={engine.stack_of(target).project}"]}  # fmt: skip
    for event in api.events(since=1, until=time.time(), filters=filters, decode=True):
        actor = event.get("Actor") or {}
        told = actor.get("Attributes") or {}
        image = told.get(IMAGE, "") if event.get("Type") == "container" else actor.get("ID", "")
        if image and SERVICE in told:
            yield told[SERVICE], image, float(event.get("time", 0))


def _older(api: Any, images: Iterable[str], since: float) -> set[str]:
    """Those of *images* that are still there and were made before."""
    import docker

    old = set()
    for image in images:
        try:
            if seconds(api.inspect_image(image)["Created"]) < since:
                old.add(image)
        except docker.errors.ImageNotFound:
            continue  # made and removed since, as `docker rmi` before a rebuild does
    return old
