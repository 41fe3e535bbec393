"""Health: containers, answers, databases and disks, each with its verdict."""

from __future__ import annotations

import builders
import pytest

from drillbook.decide.health import health
from drillbook.observe.facts import DiskFact, ServiceFact, Snapshot


def verdicts(snapshot: Snapshot) -> dict[str, str]:
    return {e.id: e.verdict for e in health(snapshot)}


def test_healthy_stack_passes() -> None:
    """When everything answers and the rows are there, every check passes."""
    assert set(verdicts(builders.healthy()).values()) == {"pass"}


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"running": False, "exit_code": 137}, "fail"),
        ({"health": "unhealthy"}, "fail"),
        ({"health": "starting"}, "unknown"),
        ({"health": ""}, "pass"),
    ],
)
def test_container_state(changes: dict[str, object], verdict: str) -> None:
    """A container passes when it runs and is healthy; one that is still starting is unknown."""
    seen = verdicts(builders.healthy(containers=(builders.container(**changes),)))
    assert seen["alive:connect-app1-1"] == verdict


def test_declared_service_without_container_fails() -> None:
    """A service of the compose file that has no container is named."""
    snapshot = builders.healthy(services=(ServiceFact("scraper", "connect-scraper", "", ""),))
    assert verdicts(snapshot)["alive:scraper"] == "fail"


def test_unseen_containers_are_not_called_absent() -> None:
    """When the engine does not answer, nothing is said of single services."""
    snapshot = builders.healthy(containers=(), unknown={"containers": "the container engine does not answer"})
    seen = verdicts(snapshot)
    assert "alive:app1" not in seen
    assert seen["observed:containers"] == "unknown"


def test_wrong_status_fails_and_quotes_the_answer() -> None:
    """A wrong status is shown with what the endpoint said, because that is what the person saw."""
    snapshot = builders.stale_artifact()
    found = next(e for e in health(snapshot) if e.id == "answer:matches")
    assert found.verdict == "fail"
    assert found.observed.startswith("500: TypeError")


def test_silent_endpoint_fails_with_the_reason() -> None:
    """An endpoint that does not answer fails with the reason."""
    silent = builders.answer(status=0, error="ConnectError: refused")
    found = next(e for e in health(builders.healthy(responses=(silent,))) if e.id == "answer:matches")
    assert (found.verdict, found.observed) == ("fail", "ConnectError: refused")


@pytest.mark.parametrize(("free", "verdict"), [(4, "fail"), (5, "pass"), (80, "pass")])
def test_nearly_full_disk_fails(free: int, verdict: str) -> None:
    """Below five percent of free space the disk fails, for a dump would stop half-way."""
    assert verdicts(builders.healthy(disks=(DiskFact("/vault", free, 100),)))["disk:/vault"] == verdict
