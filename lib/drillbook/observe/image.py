"""An image as the engine tells it: its layers, its labels, and how it came to be."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drillbook.errors import RunbookError
from drillbook.observe.engine import answering
from drillbook.observe.facts import ImageFact
from drillbook.observe.facts_code import LayerFact


def image_fact(engine: Any, image_id: str, reference: str) -> ImageFact:
    """The image *image_id*, known as *reference*. Changes nothing.

    Raises:
        EngineDown: the engine does not answer.
        RunbookError: it has no such image, or could not tell.
    """
    import docker

    with answering(f"what image {image_id[:19]} is"):
        try:
            seen, history = engine.api.inspect_image(image_id), engine.api.history(image_id)
        except (docker.errors.NotFound, docker.errors.NullResource) as error:
            raise RunbookError(
                f"the engine has no image {reference or image_id[:19]}", "build it, or pull it; diagnose says more"
            ) from error
    return ImageFact(
        id=seen["Id"],
        reference=reference,
        created=seconds(seen.get("Created", "")),
        bytes=int(seen.get("Size", 0)),
        layers=tuple((seen.get("RootFS") or {}).get("Layers") or ()),
        labels=dict((seen.get("Config") or {}).get("Labels") or {}),
        history=tuple(
            LayerFact(float(row.get("Created", 0)), row.get("CreatedBy", ""), int(row.get("Size", 0)))
            for row in history or ()
        ),
    )


def seconds(stamp: str) -> float:
    """A time as the engine writes it (RFC 3339 with nanoseconds), in seconds since 1970; 0 where it tells none."""
    try:
        when = datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return 0.0
    return max(when, 0.0)
