"""drillbook: Jupyter runbooks for the night when a Compose stack serves stale code or lost its data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from drillbook.run.start import start as start

__all__ = ["__version__", "start"]


def __getattr__(name: str) -> Any:
    if name == "start":
        from drillbook.run.start import start

        return start
    raise AttributeError(f"module 'drillbook' has no attribute {name!r}")
