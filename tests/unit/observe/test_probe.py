"""The probe: what a person at the site would have met meanwhile."""

from __future__ import annotations

import time

from servers import Site

from drillbook.observe.probe import Probe
from drillbook.target import Endpoint


def wait(probe: Probe, asked: int) -> None:
    until = time.monotonic() + 10
    while probe.asked < asked and time.monotonic() < until:
        time.sleep(0.01)


def test_probe_counts_no_failure_while_all_is_well(site: Site) -> None:
    """Asked again and again, a good endpoint has no failure and no downtime."""
    with Probe([("good", Endpoint(url=f"{site.url}/good"))], every_seconds=0.01) as probe:
        wait(probe, 5)
    assert (probe.failed, probe.down_seconds) == (0, 0.0)
    assert probe.asked >= 5


def test_probe_measures_downtime(site: Site) -> None:
    """Downtime is counted from the first failing answer to the next good one."""
    with Probe([("good", Endpoint(url=f"{site.url}/good"))], every_seconds=0.01) as probe:
        wait(probe, 2)
        site.down = True
        time.sleep(0.5)
        site.down = False
        wait(probe, probe.asked + 3)
    assert probe.failed >= 2
    assert 0.3 < probe.down_seconds < 1.5
    assert probe.failures[-1] == "good: 503 down"


def test_probe_counts_downtime_that_does_not_end(site: Site) -> None:
    """An endpoint that is still down when the probe ends counts up to the end."""
    site.down = True
    with Probe([("good", Endpoint(url=f"{site.url}/good"))], every_seconds=0.01) as probe:
        time.sleep(0.4)
    assert probe.down_seconds > 0.2
    assert probe.failed == probe.asked
