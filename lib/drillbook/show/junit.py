"""A drill as JUnit XML, for whatever collects test results: a case a check, three verdicts, and what was left out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from xml.etree import ElementTree

from drillbook.decide.evidence import Evidence

FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold; a table's name can."""


def report(
    name: str, checks: Sequence[Evidence], left_out: Sequence[Mapping[str, str]], began: datetime, seconds: float
) -> bytes:
    """One suite *name*: `fail` is a failure, `unknown` an error of the type `unknown`, what was left out is skipped."""
    verdicts = [check.verdict for check in checks]
    suite = ElementTree.Element("testsuite", {
        "name": _text(name), "tests": str(len(checks) + len(left_out)), "failures": str(verdicts.count("fail")),
        "errors": str(verdicts.count("unknown")), "skipped": str(len(left_out)),
        "timestamp": began.isoformat(timespec="seconds"), "time": f"{seconds:.3f}",
    })  # fmt: skip
    for check in checks:
        _case(suite, name, check)
    for one in left_out:
        case = _add(suite, name, one["id"])
        ElementTree.SubElement(case, "skipped", {"message": _text(one["why"])})
    root = ElementTree.Element("testsuites", {"name": "drillbook"})
    root.append(suite)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def _case(suite: ElementTree.Element, name: str, check: Evidence) -> None:
    case = _add(suite, name, check.id)
    told = f"observed: {check.observed}\nexpected: {check.expected}\nhow: {check.how}"
    kinds = {"fail": ("failure", "fail"), "unknown": ("error", "unknown")}
    if check.verdict in kinds:
        tag, kind = kinds[check.verdict]
        case = ElementTree.SubElement(case, tag, {"message": _text(check.observed), "type": kind})
        case.text = _text(told)
    else:
        ElementTree.SubElement(case, "system-out").text = _text(told)


def _add(suite: ElementTree.Element, name: str, case: str) -> ElementTree.Element:
    words = {"classname": _text(f"drillbook.{name}"), "name": _text(case), "time": "0"}
    return ElementTree.SubElement(suite, "testcase", words)


def _text(value: str) -> str:
    return FORBIDDEN.sub("\ufffd", value)
