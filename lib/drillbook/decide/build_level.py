"""Source, build context and image of one service, held against each other."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from drillbook.decide.base_level import base_level
from drillbook.decide.code import ServiceCode
from drillbook.decide.content import below, named
from drillbook.decide.evidence import Evidence, Verdict
from drillbook.observe.facts import Snapshot

REVISION = "org.opencontainers.image.revision"


def build_level(snapshot: Snapshot, code: ServiceCode) -> Iterator[Evidence]:
    """The evidence from the source to the image that the service's tag means."""
    yield _source(code)
    yield from _context(code)
    if code.image is None:
        why = snapshot.unknown.get("containers") or snapshot.unknown.get(f"image of {code.service}")
        text = why or f"service {code.service} has no container and no image"
        yield Evidence(f"image:{code.service}", "image", code.service, "unknown", text, "an image to look into",
                       f"docker compose images {code.service}")  # fmt: skip
        return
    yield from _image(code)
    yield from _bundle(code)
    yield from base_level(snapshot, code)


def _source(code: ServiceCode) -> Evidence:
    source = code.source
    what = f"{len(source.tracked)} files" + (f" at revision {source.revision}" if source.revision else ", no git")
    dirty = f", {len(source.dirty)} changed since: {named(source.dirty)}" if source.dirty else ""
    return Evidence(
        f"source:{code.service}", "source", code.service, "pass" if source.tracked else "unknown", what + dirty,
        "the source as deployed; every later level is held against it", f"git -C {source.directory} status --short",
    )  # fmt: skip


def _context(code: ServiceCode) -> Iterator[Evidence]:
    through = code.context.untracked if code.context else code.source.artifacts_in_context
    folder = code.context.directory if code.context else code.source.directory
    copied = code.artifacts
    stale = bool(copied and _ships_old_output(code))
    verdict: Verdict = "fail" if stale else "pass"
    observed = f"{len(through)} untracked get in: {named(through)}" if through else "no artifact gets in"
    observed += f"; {len(copied)} of them lie unchanged in the image" if copied else ""
    yield Evidence(
        f"context:{code.service}", "context", code.service, verdict, observed,
        "no build output of the host gets into the build context", f"ls -a {folder}; cat {folder}/.dockerignore",
    )  # fmt: skip
    if code.synced:
        text = f"{len(code.synced)} have the source's size and time, but not its content: {named(code.synced)}"
        yield Evidence(
            f"synced:{code.service}", "context", code.service, "fail", text,
            "the build was given the source's content", f"docker buildx du --verbose --filter type=source.local; "
            f"sha256sum {folder}/{code.synced[0]}",
        )  # fmt: skip


def _short(code: ServiceCode) -> str:
    assert code.image is not None
    return code.image.subject[:19]


def _how(code: ServiceCode) -> str:
    assert code.image is not None
    return f"docker cp $(docker create {code.image.subject[:19]}):{code.image.folder} - | sha256 of each file"


def _image(code: ServiceCode) -> Iterator[Evidence]:
    assert code.image is not None
    make = partial(Evidence, f"image:{code.service}", "image", code.service)
    expected, total = "source files in the image equal the source", len(code.source.tracked)
    if code.wrong:
        yield make("fail", f"{len(code.wrong)} of {total} differ: {named(code.wrong)}", expected, _how(code))
    elif code.equal:
        yield make("pass", f"{len(code.equal)} source files, all equal", expected, _how(code))
    elif code.image.built_from:
        yield make("pass", "it holds no source file; its bundle's manifest speaks for it", expected, _how(code))
    elif any(below(path, cover) for cover in code.covered for path in code.source.tracked):
        return  # not asked: a mount decides what runs
    else:
        yield _by_revision(code, make)
    if code.outdated:
        yield _layer(code, f"{len(code.outdated)} come from an older source or a cached layer: {named(code.outdated)}")


def _by_revision(code: ServiceCode, make: partial[Evidence]) -> Evidence:
    """An image without one source file is told by its revision label alone."""
    assert code.image is not None
    label, ours = code.image.labels.get(REVISION, ""), code.source.revision
    how = f"docker inspect -f '{{{{json .Config.Labels}}}}' {code.image.subject[:19]}"
    if not ours or len(label) < 7 or set(label) - set("0123456789abcdef"):
        return make("unknown", f"no source file of {len(code.source.tracked)} lies in {code.image.folder}",
                    "source files, a manifest or a revision label to hold against the source", how)  # fmt: skip
    same = label.startswith(ours[: len(label)]) or ours.startswith(label)
    return make("pass" if same else "fail", f"labelled revision {label[:12]}", f"revision {ours}", how)


def _layer(code: ServiceCode, text: str) -> Evidence:
    return Evidence(f"layer:{code.service}", "image", code.service, "fail", text,
                    "every layer is made from this source", f"docker history {_short(code)}")  # fmt: skip


def _bundle(code: ServiceCode) -> Iterator[Evidence]:
    assert code.image is not None
    how = f"the bundle's manifest in {code.image.subject[:19]} against sha256sum of the source"
    if code.image.built_from:
        wrong = code.bundled_wrong
        right = f"{len(code.image.built_from)} sources, all equal"
        observed = f"built from other content of {named(wrong)}" if wrong else right
        yield Evidence(f"bundle:{code.service}", "image", code.service, "fail" if wrong else "pass", observed,
                       "the bundle was built from this source", how)  # fmt: skip
    if code.artifacts and (_ships_old_output(code) or (code.unbundled and code.shipped)):
        text = f"{len(code.artifacts)} are byte-identical to untracked files of the host: {named(code.artifacts)}"
        text += f"; not in the bundle: {named(code.unbundled)}" if code.unbundled else ""
        yield Evidence(f"artifact:{code.service}", "image", code.service, "fail", text, "made by this build", how)
    elif code.bundle_alone and code.cache_mounts:
        line, value = code.cache_mounts[0]
        text = f"the sources beside it are right; line {line} of its Dockerfile builds in a cache mount: {value[:90]}"
        yield Evidence(f"cachemount:{code.service}", "image", code.service, "fail", text, "made by this build",
                       "docker buildx du --verbose --filter type=exec.cachemount")  # fmt: skip
    elif code.bundle_alone:
        yield _layer(code, f"the bundle is not made from the sources beside it: {named(code.bundle_alone)}")
    elif code.untied:
        wanted = "a manifest of its sources in the image: code.manifest in the target's file names it"
        yield Evidence(f"untied:{code.service}", "image", code.service, "unknown", code.untied, wanted, _how(code))


def _ships_old_output(code: ServiceCode) -> bool:
    return bool(code.bundle_alone and code.shipped) or _older(code)


def _older(code: ServiceCode) -> bool:
    """Whether host artifacts that nothing ties to their sources are older than the newest revision of these."""
    if code.image is None or code.image.built_from or not code.context or not code.source.revised:
        return False
    stamps = [code.context.stamps[p][1] for p in code.outputs if p in code.context.stamps]
    return bool(stamps) and max(stamps) < code.source.revised
