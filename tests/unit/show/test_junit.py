"""JUnit XML: what collects test results can tell the three verdicts, and what was left out."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

from drillbook.decide.evidence import Evidence, Verdict
from drillbook.show.junit import report

BEGAN = datetime(2025, 10, 13, 12, tzinfo=UTC)


def check(name: str, verdict: Verdict, observed: str = "seen") -> Evidence:
    return Evidence(name, "backup", "b", verdict, observed, "wanted", "how")


CHECKS = [check("checksums", "pass"), check("a:table:x", "fail", "3 rows <5>"), check("b", "unknown", "no one knows")]
LEFT_OUT = [{"id": "amcheck", "why": "tier sample"}]


def suite(checks: list[Evidence] = CHECKS) -> ElementTree.Element:
    found = ElementTree.fromstring(report("drill.unit", checks, LEFT_OUT, BEGAN, 1.5)).find("testsuite")
    assert found is not None
    return found


def test_the_suite_counts_each_kind() -> None:
    """Failures, errors and what was skipped add up with the passes."""
    told = {key: suite().get(key) for key in ("tests", "failures", "errors", "skipped", "time", "timestamp")}
    assert told == {
        "tests": "4", "failures": "1", "errors": "1", "skipped": "1", "time": "1.500",
        "timestamp": "2025-10-13T12:00:00+00:00",
    }  # fmt: skip


def test_the_three_verdicts_differ() -> None:
    """A fail is a failure, an unknown an error of that type, and neither is ever silent."""
    kinds = {case.get("name"): [child.tag for child in case] for case in suite()}
    assert kinds == {"checksums": ["system-out"], "a:table:x": ["failure"], "b": ["error"], "amcheck": ["skipped"]}
    error = suite().find("testcase/error")
    assert error is not None
    assert (error.get("type"), error.get("message")) == ("unknown", "no one knows")
    skipped = suite().find("testcase/skipped")
    assert skipped is not None
    assert skipped.get("message") == "tier sample"


def test_whatever_a_table_is_called_the_file_stays_xml() -> None:
    """Control characters, quotes and lone surrogates are in names of tables too."""
    odd = check('table:"a\x01\x0b<b>&\ud800\uffff한', "fail", "\x00")
    [case, _] = list(suite([odd]))
    assert case.get("name") == 'table:"a\ufffd\ufffd<b>&\ufffd\ufffd한'
