"""Early-warning signs: how many answers fail, when was deployed, how often was rebuilt since all was well."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from drillbook.errors import RunbookError
from drillbook.observe import engine
from drillbook.observe.facts import ContainerFact, ImageFact, ResponseFact
from drillbook.observe.facts_signs import SignsFact
from drillbook.observe.files import spoken_for
from drillbook.observe.image import seconds
from drillbook.observe.logs import lines, logs
from drillbook.observe.prometheus import error_percent
from drillbook.target import Target

STATUS = re.compile(
    r'(?:"[A-Z]+ [^"]*"|\b(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) \S+(?: HTTP/[\d.]+)?) ([1-5]\d\d)\b'
)
"""The status in a line of the common, the combined and nginx's usual log formats."""
FEWEST_REQUESTS = 10
WEEK_SECONDS = 7 * 86_400
SERVICE = "com.docker.compose.service"
Reading = tuple[float | None, int, str]


def signs(
    target: Target, containers: tuple[ContainerFact, ...], images: Mapping[str, ImageFact],
    responses: tuple[ResponseFact, ...], healthy_at: float, revised: float = 0.0,
) -> SignsFact:  # fmt: skip
    """The signs as they are now. Changes nothing. Without *healthy_at* rebuilds are counted for a week.

    Raises:
        RunbookError: Prometheus, where the target names one, does not answer.
    """
    now, rule = time.time(), target.signs
    percent, asked, source = _rate(target, containers, responses)
    moments = {
        "container": max((seconds(c.created) for c in containers), default=0.0),
        "image": max((i.created for i in images.values()), default=0.0),
        "commit": revised,
    }
    latest = max(moments, key=lambda name: moments[name])
    return SignsFact(
        error_percent=percent,
        asked=asked,
        source=source,
        deployed_at=moments[latest],
        deployed_by=latest if moments[latest] else "",
        healthy_at=healthy_at,
        rebuilds=_rebuilds(target, healthy_at or now - WEEK_SECONDS),
        logs=logs(target, containers, rule.log_lines, rule.log_pattern),
        observed_at=now,
    )


def _rate(target: Target, containers: Iterable[ContainerFact], responses: Iterable[ResponseFact]) -> Reading:
    """The share of failing answers: Prometheus's, else the greater of its worst endpoint's and the access log's."""
    if target.signs.prometheus:
        return error_percent(target.signs.prometheus), 0, "Prometheus"
    readings = list(_endpoints([fact for fact in responses if fact.via == "proxy"]))
    statuses = [s for c in containers if c.ports and c.running for s in _statuses(target, c)]
    if len(statuses) >= FEWEST_REQUESTS:
        failing = sum(status >= 500 for status in statuses)
        readings.append((100 * failing / len(statuses), len(statuses), "access log"))
    return max(readings, key=lambda reading: reading[0] or 0.0, default=(None, 0, ""))


def _endpoints(through: list[ResponseFact]) -> Iterator[Reading]:
    """The share of each endpoint by itself: one that always fails is not made better by nine that work."""
    for name in dict.fromkeys(fact.endpoint for fact in through):
        own = [fact for fact in through if fact.endpoint == name]
        bad = sum(fact.times for fact in own if fact.status != fact.expected_status)
        asked = sum(fact.times for fact in own)
        yield 100 * bad / asked, asked, f"endpoint {name}"


def _statuses(target: Target, container: ContainerFact) -> list[int]:
    try:
        found = [STATUS.search(said) for _, said in lines(target, container, target.signs.log_lines)]
    except RunbookError:
        return []
    return [int(match[1]) for match in found if match]


def _rebuilds(target: Target, since: float) -> dict[str, int]:
    """service → different images made or first used since: those that are there, and those that events tell of."""
    api = engine.client(target).api
    ours = f"{engine.PROJECT}={engine.stack_of(target).project}"
    made: dict[str, set[str]] = {}
    with spoken_for("the list of images"):
        for row in api.images(filters={"label": ours}, all=False):
            service = (row.get("Labels") or {}).get(SERVICE, "")
            if service and row["Created"] >= since:
                made.setdefault(service, set()).add(row["Id"])
        for event in _events(api, ours, since):
            told = event.get("Actor", {}).get("Attributes", {})
            image = told.get("com.docker.compose.image", "")
            if image and SERVICE in told:
                made.setdefault(told[SERVICE], set()).add(image)
    old = _older(api, {image for found in made.values() for image in found}, since)
    return {service: len(found - old) for service, found in sorted(made.items()) if found - old}


def _events(api: Any, ours: str, since: float) -> list[dict[str, Any]]:
    """The engine's memory of containers that were created; it keeps some hundred events."""
    filters = {"type": ["container"], "event": ["create"], "label": [ours]}
    return list(api.events(since=int(since), until=int(time.time()), filters=filters, decode=True))


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
