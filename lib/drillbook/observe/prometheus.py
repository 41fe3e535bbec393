"""An error rate asked of Prometheus. https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries"""

from __future__ import annotations

import math
from typing import Any

from drillbook.errors import RunbookError
from drillbook.target import Prometheus


def error_percent(prometheus: Prometheus) -> float | None:
    """What the query gives now; None where it gives no number. Sends one GET.

    Raises:
        RunbookError: Prometheus does not answer, or refuses the query.
    """
    import httpx

    url = f"{prometheus.url.rstrip('/')}/api/v1/query"
    hint = "mend signs.prometheus in the target's file, or leave it out: the endpoints are asked then"
    try:
        answer = httpx.get(url, params={"query": prometheus.query}, timeout=prometheus.timeout_seconds, trust_env=False)
        told = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise RunbookError(f"Prometheus at {prometheus.url} does not answer: {error}", hint) from error
    if not isinstance(told, dict) or told.get("status") != "success":
        why = told.get("error", answer.status_code) if isinstance(told, dict) else answer.status_code
        raise RunbookError(f"Prometheus at {prometheus.url} refuses the query: {why}", hint)
    return _number(told.get("data") or {})


def _number(data: dict[str, Any]) -> float | None:
    """A scalar, or a vector of one element: anything else is no rate."""
    found = data.get("result") or []
    pair = found if data.get("resultType") == "scalar" else found[0].get("value", []) if len(found) == 1 else []
    try:
        value = float(pair[1])
    except (IndexError, TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None
