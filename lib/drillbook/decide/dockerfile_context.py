"""What gets past the ignore file into the build: artifacts of earlier builds, and secrets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import PurePosixPath

from drillbook.decide.content import below, named
from drillbook.decide.derived import derived
from drillbook.decide.finding import Finding, Severity, Subject
from drillbook.observe.facts_code import Instruction
from drillbook.observe.ignore import Ignore

BUILDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"\bnext\s+build\b", (".next",)),
    (r"\bnuxi?\s+(?:build|generate)\b", (".nuxt", ".output")),
    (r"\b(?:vite\s+build|tsc|webpack|rollup|esbuild)\b", ("dist",)),
    (r"\b(?:npm|pnpm|yarn|bun)\s+(?:run\s+)?build\b", (".next", "dist", "build")),
    (r"\b(?:mvnw?|sbt|cargo)\s[^&;|]*\b(?:package|install|verify|compile|build|assembly)\b", ("target",)),
    (r"\bgradlew?\s[^&;|]*\b(?:build|assemble|bootJar|jar|installDist)\b", ("build", ".gradle")),
    (r"\bdotnet\s+(?:build|publish)\b", ("bin", "obj")),
    (r"\bcompileall\b", ("__pycache__",)),
    (r"\b(?:make|ninja|go\s+build|bazel\s+build)\b|\bnode\s+\S*build\S*|\bpython3?\s+\S*build\S*\.py\b", ()),
)
"""What a RUN looks like that builds, and what it writes beside the sources; a declared artifact counts for all."""
SECRET = re.compile(r"^(?:\.env|\.env\.\w+|.*\.pem|.*\.key|id_(?:rsa|dsa|ecdsa|ed25519))$")
HARMLESS = re.compile(r"\.(?:example|sample|template|dist|defaults?)$")


def artifact_in_context(subject: Subject) -> Iterator[Finding]:
    """Untracked results of a build on the host that a COPY takes into the image."""
    brought = _brought(subject)
    paths = subject.context.untracked if subject.context else ()
    there = {p: root for p in paths if brought(p) and (root := _artifact(subject, p))}
    if there:
        says = f"what a build on the host left gets into the image: {named(there)}"
        lines = dict.fromkeys(_ignore_line(subject, root) for root in there.values())
        yield subject.ignoring("artifact-in-context", says, sorted(lines))


def copy_before_build(subject: Subject) -> Iterator[Finding]:
    """A RUN that builds where COPY could have brought the results of another build, which it would then reuse."""
    for copy in subject.words("COPY"):
        if not _is_whole(copy):
            continue
        for run in subject.words("RUN"):
            if run.stage != copy.stage or run.line < copy.line or not builds(run.value):
                continue
            removed = " ".join(r.value for r in subject.words("RUN") if copy.line < r.line <= run.line)
            reused = [n for n in _reused(subject, run.value) if not _removes(removed, n)]
            if reused:
                yield _reuse(subject, copy, run, reused)


def _reuse(subject: Subject, copy: Instruction, run: Instruction, reused: list[str]) -> Finding:
    says = (
        f"{', '.join(reused)} would come in by line {copy.line} ({copy.word} {copy.value}), and this build could "
        "take it for its own"
    )
    there = {root for p in (subject.context.untracked if subject.context else ()) if (root := _artifact(subject, p))}
    severity: Severity = "warn" if there & set(reused) else "note"
    if "__pycache__" in reused:
        return subject.ignoring("copy-before-build", says, [f"**/{name}" for name in reused], severity)
    first, *rest = subject.lines(run)
    start = re.match(r"\s*RUN\s+(?:--\S+\s+)*", first, re.IGNORECASE)
    remove = f"rm -rf {' '.join(reused)}"
    if start and not re.match(r"\[|.*<<|\\?\s*$", first[start.end() :]):
        mended = [f"{start[0]}{remove} && {first[start.end() :]}", *rest]
    else:
        mended = [f"RUN {remove}", first, *rest]
    return subject.at("copy-before-build", run, says, mended, severity)


def secrets_in_context(subject: Subject) -> Iterator[Finding]:
    """Keys, passwords and the repository itself that a COPY takes into the image."""
    brought = _brought(subject)
    paths = (*subject.context.tracked, *subject.context.untracked) if subject.context else ()
    secret = [p for p in paths if brought(p) and _is_secret(p)]
    repository = [p for p in paths if brought(p) and p.startswith(".git/")]
    if secret:
        lines = dict.fromkeys(_secret_line(p) for p in secret)
        says = f"secrets get into the image, and stay in its layers: {named(sorted(secret))}"
        yield subject.ignoring("secrets-in-context", says, sorted(lines))
    if repository:
        says = "the whole repository gets into the image, and every commit spoils the cache of the COPY"
        yield subject.ignoring("secrets-in-context", says, [".git"], "note")


def builds(command: str) -> bool:
    """Whether a RUN's command builds something out of sources."""
    return any(re.search(pattern, command) for pattern, _ in BUILDS)


def ignoring(text: str) -> Callable[[str], bool]:
    """Whether an ignore file of this *text* keeps a path out."""
    lines = [line.strip() for line in text.removeprefix("\ufeff").splitlines()]
    return Ignore(tuple(line for line in lines if line and not line.startswith("#"))).keeps_out


def _reused(subject: Subject, command: str) -> list[str]:
    """The artifacts that the build could reuse and that the ignore file lets in."""
    usual = [name for pattern, names in BUILDS if re.search(pattern, command) for name in names]
    kept_out, tracked = ignoring(subject.fact.ignore_text), subject.context.tracked if subject.context else ()
    sources = {path.split("/")[0] for path in tracked}
    names = dict.fromkeys([*_declared(subject), *usual])
    return [n for n in names if not kept_out(f"{n}/x") and n.split("/")[0] not in sources]


def _removes(command: str, name: str) -> bool:
    return bool(re.search(rf"\brm\s+-\w*r[^&;|]*(?<![\w.-]){re.escape(name)}(?![\w.-])", command))


def _declared(subject: Subject) -> tuple[str, ...]:
    """The artifacts that the target's file declares, where source and context are the same folder."""
    source, context = subject.source, subject.context
    if source is None or (context is not None and context.directory != source.directory):
        return ()
    roots = list(source.artifacts_in_context)
    others = [p for p in source.artifacts if not any(below(p, root) for root in roots)]
    return tuple(dict.fromkeys([*roots, *(derived(p) or p.split("/")[0] for p in others)]))


def _artifact(subject: Subject, path: str) -> str:
    """The artifact that *path* is or lies in; empty where it is none."""
    for name in _declared(subject):
        if below(path, name):
            return name
    return path if path.endswith(".pyc") and "__pycache__" not in path else derived(path)


def _ignore_line(subject: Subject, root: str) -> str:
    """The shortest pattern that keeps *root* out and nothing that git tracks."""
    name = root.rpartition("/")[2]
    wide = "**/*.pyc" if name.endswith(".pyc") else f"**/{name}"
    tracked = subject.context.tracked if subject.context else ()
    if ("/" in root or name.endswith(".pyc")) and not any(map(ignoring(wide), tracked)):
        return wide
    return root


def _is_secret(path: str) -> bool:
    name = path.rpartition("/")[2]
    return bool(SECRET.match(name)) and not HARMLESS.search(name)


def _secret_line(path: str) -> str:
    name = path.rpartition("/")[2]
    pattern = f"*{PurePosixPath(name).suffix}" if name.endswith((".pem", ".key")) else name
    return f"**/{pattern}" if "/" in path or "*" in pattern else pattern


def _sources(copy: Instruction) -> list[str]:
    """What a COPY or ADD takes from the context; nothing where it takes from a stage or out of itself."""
    flags = re.match(r"(?:--\S+\s+)*", copy.value)
    rest = copy.value[flags.end() if flags else 0 :]
    if (flags and "--from=" in flags[0]) or "<<" in rest:
        return []
    words = re.findall(r'"([^"]+)"', rest) if rest.startswith("[") else rest.split()
    return [word.lstrip("/").removeprefix("./").rstrip("/") or "." for word in words[:-1]]


def _is_whole(copy: Instruction) -> bool:
    return "." in _sources(copy)


def _brought(subject: Subject) -> Callable[[str], bool]:
    """Whether a path of the context is taken into the image by a COPY or ADD."""
    wanted = [source for copy in subject.words("COPY", "ADD") for source in _sources(copy)]

    def brought(path: str) -> bool:
        return any(below(path, source) or _fits(path, source) for source in wanted)

    return brought


def _fits(path: str, pattern: str) -> bool:
    """Whether *path*, or a folder above it, fits a COPY's pattern, whose `*` does not reach over a slash."""
    parts, above = pattern.split("/"), path.split("/")
    return len(above) >= len(parts) and all(map(fnmatch, above, parts))
