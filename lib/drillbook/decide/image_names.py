"""The names under which images are kept: tags of drillbook's own, beside those that compose knows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from drillbook.observe.facts import ContainerFact


def kept_tag(container: ContainerFact) -> str:
    """The tag under which the image of *container* is kept."""
    return f"{repository(container.image_ref)}:drillbook-kept-{container.image_id[7:19]}"


def repository(reference: str) -> str:
    """*reference* without tag and digest; a registry's port stays (`host:5000/app:1` → `host:5000/app`).

    An image that runs by its bare id has no name of its own: `drillbook/unnamed`.
    """
    name = reference.partition("@")[0]
    if not name or re.fullmatch(r"sha256:.*|[0-9a-f]{64}", name):
        return "drillbook/unnamed"
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def images_kept(containers: Sequence[ContainerFact]) -> dict[str, str]:
    """kept tag → image id of what *containers* run; what most of them run comes first."""
    often = Counter((kept_tag(c), c.image_id) for c in containers)
    return {tag: image for (tag, image), _ in often.most_common()}
