"""The probe: what a person at the site would have met meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable

from servers import Site

from drillbook.observe.probe import Probe
from drillbook.target import Endpoint


def wait(until: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not until() and time.monotonic() < end:
        time.sleep(0.01)


def test_probe_counts_no_failure_while_all_is_well(site: Site) -> None:
    """Asked again and again, a good endpoint has no failure and no downtime."""
    with Probe([("good", Endpoint(url=f"{site.url}/good"))], every_seconds=0.01) as probe:
        wait(lambda: probe.asked >= 5)
    assert (probe.failed, probe.down_seconds) == (0, 0.0)
    assert probe.asked >= 5


def test_probe_measures_downtime(site: Site) -> None:
    """Downtime is counted from the first failing answer to the next good one."""
    with Probe([("good", Endpoint(url=f"{site.url}/good"))], every_seconds=0.01) as probe:
        wait(lambda: probe.asked >= 2)
        site.down, began = True, time.monotonic()
        wait(lambda: probe.failed >= 3)
        site.down = False
        wait(lambda: probe.down_seconds > 0)
        outage = time.monotonic() - began
        wait(lambda: probe.asked > probe.failed + 4)
    assert probe.failed >= 3
    assert 0 < probe.down_seconds <= outage
    assert probe.failures[-1] == "good: 503 down"


def test_probe_counts_downtime_that_does_not_end(site: Site) -> None:
    """An endpoint that is still down when the probe ends counts up to the end."""
    site.down = True
    with Probe([("good", Endpoint(url=f"{site.url}/good"))], every_seconds=0.01) as probe:
        wait(lambda: probe.failed >= 3)
        assert probe.down_seconds == 0
    assert probe.down_seconds > 0
    assert probe.failed == probe.asked


def test_endpoint_that_failed_before_is_counted_apart(site: Site) -> None:
    """What was broken before a reset began is not the reset's downtime; once mended it is asked as any other."""
    endpoints = [("good", Endpoint(url=f"{site.url}/good")), ("broken", Endpoint(url=f"{site.url}/broken"))]
    with Probe(endpoints, every_seconds=0.01, unwell=frozenset({"broken"})) as probe:
        wait(lambda: probe.unmended >= 3)
    assert (probe.failed, probe.down_seconds, probe.failures) == (0, 0.0, [])
    assert probe.unmended >= 3
    assert probe.asked >= 2 * probe.unmended - 1


def test_well_endpoint_that_fails_beside_an_unwell_one_is_downtime(site: Site) -> None:
    """Only those that failed before are excused: the other one's failures are failures."""
    site.down = True
    endpoints = [("good", Endpoint(url=f"{site.url}/good")), ("broken", Endpoint(url=f"{site.url}/broken"))]
    with Probe(endpoints, every_seconds=0.01, unwell=frozenset({"broken"})) as probe:
        wait(lambda: min(probe.failed, probe.unmended) >= 3)
    assert probe.down_seconds > 0
    assert {failure.split(":")[0] for failure in probe.failures} == {"good"}
    assert probe.asked == probe.failed + probe.unmended
