"""The practice stack with the engine there is: containers, or a PostgreSQL server of its own without them."""

from __future__ import annotations

from typing import Any

from drillbook.act.install import engine_in_use, ensure_engine
from drillbook.errors import BadParameters

PROJECT, PORT = "connect", 8080


def up(project: str, port: int, rows: int) -> dict[str, Any]:
    """The healthy practice stack, and which engine it is on; one is set up where there is none.

    Raises:
        BadParameters: a project or a port was named, but without containers there is neither.
    """
    engine = ensure_engine()
    if engine == "embedded":
        from drillbook.act.embedded import up_embedded

        _nameless(project, port)
        return {"engine": engine, **up_embedded(rows)}
    from drillbook.act import sandbox

    return {"engine": engine, **sandbox.up(project, port, rows)}


def break_(how: str, project: str) -> dict[str, Any]:
    """The practice stack broken as *how* names it, on the engine in use.

    Raises:
        BadParameters: there is no such breakage, or no such sandbox, on this engine.
    """
    engine = engine_in_use()
    if engine == "embedded":
        from drillbook.act.embedded import break_embedded

        _nameless(project)
        return {"engine": engine, **break_embedded(how)}
    from drillbook.act.breakage import break_stack

    return {"engine": engine, **break_stack(how, project)}


def breakages() -> dict[str, str]:
    """What `break_` can be told where there are containers, each with what it does."""
    from drillbook.act.breakage import described

    return described()


def down(project: str) -> dict[str, Any]:
    """The practice stack removed from the engine in use, and nothing else.

    Raises:
        BadParameters: there is no such sandbox on this engine.
    """
    engine = engine_in_use()
    if engine == "embedded":
        from drillbook.act.embedded import down_embedded

        _nameless(project)
        down_embedded()
        return {"engine": engine, "target": "embedded"}
    from drillbook.act import sandbox

    return {"engine": engine, **sandbox.down(project)}


def _nameless(project: str, port: int = PORT) -> None:
    if (project, port) != (PROJECT, PORT):
        raise BadParameters(
            "the embedded sandbox has no project and no port: there is one, reached by a socket",
            "leave --project and --port out, or use ENGINE=docker",
        )
