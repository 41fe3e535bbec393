"""Freshness: what runs, held against the source by content, level by level."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from drillbook.decide.evidence import Evidence, Verdict
from drillbook.observe.facts import ContainerFact, FilesFact, ResponseFact, Snapshot, SourceFact

NAMED = 3


def source_digest(sources: Mapping[str, str]) -> str:
    """One digest over path → sha256: the sha256 of the sorted lines `<sha256>  <path>`, as sha256sum prints them."""
    lines = sorted(f"{digest}  {path}\n" for path, digest in sources.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def differing(source: SourceFact, files: Mapping[str, str]) -> list[str]:
    """Tracked files whose content in *files* is another, or that are missing from a folder that was copied."""
    copied = {path.rpartition("/")[0] for path in source.tracked if path in files}
    gone = [p for p in source.tracked if p not in files and "/" in p and p.rpartition("/")[0] in copied]
    other = [p for p, digest in source.tracked.items() if p in files and files[p] != digest]
    return sorted({*gone, *other})


def identical_artifacts(source: SourceFact, files: Mapping[str, str]) -> list[str]:
    """Untracked artifacts of the host that lie byte for byte in *files*."""
    return sorted(path for path, digest in source.artifacts.items() if files.get(path) == digest)


def named(paths: Iterable[str]) -> str:
    """The first few paths, and how many more."""
    paths = list(paths)
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return f"{', '.join(paths[:NAMED])}{more}"


def freshness(snapshot: Snapshot) -> tuple[Evidence, ...]:
    """One piece of evidence a level and service; `unknown` wherever a level could not be seen."""
    found: list[Evidence] = []
    for service, source in snapshot.sources.items():
        images = [f for f in snapshot.images if f.service == service]
        found.append(_source(service, source))
        found.append(_context(service, source, images))
        found.extend(_image(source, fact) for fact in images)
        found.extend(e for fact in images for e in _built(source, fact))
        found.extend(_container(c) for c in snapshot.containers if c.service == service)
        found.extend(_process(snapshot, fact) for fact in snapshot.processes if fact.service == service)
        if not images:
            why = snapshot.unknown.get("containers", f"service {service} has no running container")
            found.append(
                Evidence(f"image:{service}", "image", service, "unknown", why, "a running container to look into")
            )
    found.extend(_build_response(snapshot, answer) for answer in snapshot.responses if answer.source_digest)
    return tuple(found)


def _source(service: str, source: SourceFact) -> Evidence:
    what = f"{len(source.tracked)} files" + (f" at revision {source.revision}" if source.revision else ", no git")
    dirty = f", {len(source.dirty)} changed since: {named(source.dirty)}" if source.dirty else ""
    return Evidence(
        f"source:{service}", "source", service, "pass" if source.tracked else "unknown", what + dirty,
        "the source as deployed; every later level is held against it", f"git -C {source.directory} status --short",
    )  # fmt: skip


def _context(service: str, source: SourceFact, images: list[FilesFact]) -> Evidence:
    how = f"ls -a {source.directory}; cat {source.directory}/.dockerignore"
    expected = "no build artifact of the host gets into the build context"
    through = source.artifacts_in_context
    copied = {path for fact in images for path in identical_artifacts(source, fact.files)}
    if not through:
        return Evidence(f"context:{service}", "context", service, "pass", "no artifact gets in", expected, how)
    stale = any(_wrong(source, fact) for fact in images)
    verdict: Verdict = "fail" if copied and stale else "pass"
    observed = f"{', '.join(through)} gets in" + (
        f"; {len(copied)} of its files lie unchanged in the image" if copied else ""
    )
    return Evidence(f"context:{service}", "context", service, verdict, observed, expected, how)


def _wrong(source: SourceFact, fact: FilesFact) -> list[str]:
    """Bundled paths whose digest in the embedded manifest is not the source's."""
    return sorted(p for p, digest in fact.built_from.items() if source.tracked.get(p) != digest)


def _image(source: SourceFact, fact: FilesFact) -> Evidence:
    wrong = differing(source, fact.files)
    there = [path for path in source.tracked if path in fact.files]
    verdict: Verdict = "fail" if wrong else "pass" if there else "unknown"
    observed = (
        f"{len(wrong)} of {len(source.tracked)} differ: {named(wrong)}"
        if wrong
        else f"{len(there)} source files, all equal"
    )
    return Evidence(
        f"image:{fact.service}", "image", fact.service, verdict, observed, "source files in the image equal the source",
        f"docker cp $(docker create {fact.subject[:19]}):{fact.folder} - | sha256 of each file",
    )  # fmt: skip


def _built(source: SourceFact, fact: FilesFact) -> list[Evidence]:
    expected = "the bundle was built from this source"
    how = f"the bundle's manifest in {fact.subject[:19]} against sha256sum of the source"
    copied = identical_artifacts(source, fact.files)
    found = []
    if fact.built_from:
        wrong = _wrong(source, fact)
        observed = (
            f"built from other content of {named(wrong)}" if wrong else f"{len(fact.built_from)} sources, all equal"
        )
        verdict: Verdict = "fail" if wrong else "pass"
        found.append(Evidence(f"bundle:{fact.service}", "image", fact.service, verdict, observed, expected, how))
        if copied and wrong:
            text = f"{len(copied)} bundled files are byte-identical to untracked files of the host: {named(copied)}"
            found.append(
                Evidence(f"artifact:{fact.service}", "image", fact.service, "fail", text, "made by this build", how)
            )
    return found


def _container(fact: ContainerFact) -> Evidence:
    same = fact.image_id == fact.tag_image_id
    verdict: Verdict = "pass" if same else "fail" if fact.tag_image_id else "unknown"
    return Evidence(
        f"container:{fact.name}", "container", fact.name, verdict, f"runs image {fact.image_id[7:19]}",
        f"{fact.image_ref} is {fact.tag_image_id[7:19] or 'gone'}", f"docker inspect -f '{{{{.Image}}}}' {fact.name}",
    )  # fmt: skip


def _process(snapshot: Snapshot, fact: FilesFact) -> Evidence:
    container = next(c for c in snapshot.containers if c.id == fact.subject)
    image = next((f for f in snapshot.images if f.subject == container.image_id and f.service == fact.service), None)
    expected = "the process sees the image's files"
    how = f"docker diff {container.name}"
    if image is None or not fact.files:
        return Evidence(
            f"process:{container.name}", "process", container.name, "unknown", "no files read", expected, how
        )
    wrong = sorted(p for p in image.files if fact.files.get(p) != image.files[p])
    observed = f"{len(wrong)} files differ: {named(wrong)}" if wrong else f"{len(image.files)} files, all equal"
    verdict: Verdict = "fail" if wrong else "pass"
    return Evidence(f"process:{container.name}", "process", container.name, verdict, observed, expected, how)


def _build_response(snapshot: Snapshot, answer: ResponseFact) -> Evidence:
    image = next((f for f in snapshot.images if f.built_from and answer.via in ("proxy", f.service)), None)
    how = f"curl {answer.url}"
    observed = f"build {answer.build_id or '?'}, source {answer.source_digest[:12]}"
    if image is None:
        return Evidence(
            f"response:{answer.endpoint}",
            "response",
            answer.via,
            "unknown",
            observed,
            "a manifest to hold it against",
            how,
        )
    tracked = snapshot.sources[image.service].tracked
    wanted = source_digest({path: tracked.get(path, "gone") for path in image.built_from})
    verdict: Verdict = "pass" if answer.source_digest == wanted else "fail"
    return Evidence(
        f"response:{answer.endpoint}", "response", answer.via, verdict, observed, f"source {wanted[:12]}", how
    )
