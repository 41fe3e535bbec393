"""An error rate asked of Prometheus. https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries"""

from __future__ import annotations

import json
import math
from typing import Any

from drillbook.errors import RunbookError
from drillbook.observe.endpoint import fetch
from drillbook.observe.said import hidden
from drillbook.target import Prometheus


def error_percent(prometheus: Prometheus) -> float | None:
    """What the query gives now; None where it gives no number. Sends one GET.

    Raises:
        RunbookError: Prometheus does not answer, or refuses the query.
    """
    import httpx

    named = hidden(prometheus.url)
    hint = "mend signs.prometheus in the target's file, or leave it out: the endpoints are asked then"
    try:
        url = httpx.URL(f"{prometheus.url.rstrip('/')}/api/v1/query", params={"query": prometheus.query})
        answer, content = fetch(str(url), prometheus.timeout_seconds, {})
        told = json.loads(content)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError) as error:
        raise RunbookError(f"Prometheus at {named} does not answer: {hidden(str(error))}", hint) from error
    if not isinstance(told, dict) or told.get("status") != "success":
        why = told.get("error", answer.status_code) if isinstance(told, dict) else answer.status_code
        raise RunbookError(f"Prometheus at {named} refuses the query: {why}", hint)
    return _number(told.get("data"))


def _number(data: Any) -> float | None:
    """A scalar, or a vector of one element: anything else is no rate."""
    try:
        found = data["result"]
        [pair] = [found] if data["resultType"] == "scalar" else [one["value"] for one in found]
        value = float(pair[1])
    except (LookupError, TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None
