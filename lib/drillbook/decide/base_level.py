"""Whether an image stands on what its base's tag means now, and if not, which of the two is older."""

from __future__ import annotations

from collections.abc import Iterator

from drillbook.decide.code import ServiceCode
from drillbook.decide.evidence import Evidence, Verdict
from drillbook.observe.dockerfile_syntax import bases, chain, stage_of
from drillbook.observe.facts import Snapshot
from drillbook.observe.facts_code import Instruction


def base_level(snapshot: Snapshot, code: ServiceCode) -> Iterator[Evidence]:
    """Layers are proof that it stands there. Where it does not, the base that it was built on tells its own time.

    An image carries its base's history: a tag whose image is newer than that has moved on; one whose
    image is older was passed by, for BuildKit took a newer base and kept it out of the engine's images.
    """
    base, image = code.base, code.engine_image
    if base is None or image is None or not base.layers or not image.layers:
        return
    then, now = stood_on(snapshot, code), int(base.created)
    verdict: Verdict = "unknown"
    observed = "stands on other layers; its history does not tell how old that base is"
    if image.layers[: len(base.layers)] == base.layers:
        verdict, observed = "pass", "stands on it"
    elif then and now and then != now:
        verdict = "fail" if now > then else "pass"
        observed = f"stands on a base that is {'older' if now > then else 'newer'} than the tag's image"
    yield Evidence(
        f"base:{code.service}", "image", code.service, verdict, observed,
        f"{base.reference} as it is now: {base.image_id[7:19]}",
        f"docker inspect -f '{{{{json .RootFS.Layers}}}}' {base.reference} {image.reference or image.id[:19]}",
    )  # fmt: skip


def stood_on(snapshot: Snapshot, code: ServiceCode) -> int:
    """When the base in the image was made, seconds since 1970: the step below its Dockerfile's first; 0 if untold."""
    if code.engine_image is None:
        return 0
    steps, history = _steps(snapshot, code), code.engine_image.history[::-1]
    below = len(history) - len(steps) - 1
    if not steps or below < 0 or not _is(history[below + 1].command, steps[0]):
        return 0
    return int(history[below].created)


def _steps(snapshot: Snapshot, code: ServiceCode) -> list[Instruction]:
    """The instructions that the image was made by upon its base, in order; each is one line of its history."""
    if code.dockerfile is None:
        return []
    service = next((s for s in snapshot.services if s.name == code.service), None)
    stages = bases(code.dockerfile.instructions, service.build_args if service else {})
    through = chain(stages, stage_of(stages, service.build_target if service else ""))
    words = [i for i in code.dockerfile.instructions if i.word != "FROM"]
    return [i for index in reversed(through) for i in words if i.stage == index]


def _is(command: str, step: Instruction) -> bool:
    """Whether a line of a history is of this instruction; the classic builder writes a RUN without its word."""
    return step.word in command or (step.word == "RUN" and "/bin/sh -c" in command and "#(nop)" not in command)
