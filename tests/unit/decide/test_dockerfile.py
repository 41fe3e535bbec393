"""What is found in Dockerfiles and ignore files, at which line, and that the mended lines mend it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from drillbook.decide.dockerfile import RULES, Finding, findings, mend
from drillbook.decide.dockerfile_context import ignoring
from drillbook.observe.dockerfile_syntax import parse
from drillbook.observe.facts import BaseFact, ContextFact, DockerfileFact, ServiceFact, Snapshot, SourceFact

SITE = Path(__file__).resolve().parents[3] / "sandbox/connect/site"
NAMED = "ARG REVISION=unknown\n"
CLEAN = f"FROM node:1234567890ab\n{NAMED}"
PLACE, IGNORE = "/srv/app/Dockerfile", "/srv/app/.dockerignore"


def snapshot(
    text: str,
    ignore: str | None = None,
    untracked: tuple[str, ...] = (),
    tracked: tuple[str, ...] = ("src/a.js",),
    args: Mapping[str, str] | None = None,
    declared: tuple[str, ...] = (),
    base: BaseFact | None = None,
) -> Snapshot:
    """A service `app` with this Dockerfile; of *untracked*, what the ignore file lets in is in its context."""
    keeps_out = ignoring(ignore or "")
    gets_in = tuple(p for p in untracked if not keeps_out(p))
    sources = tuple(p for p in tracked if not keeps_out(p))
    there = {p: "sha256" for p in untracked if p.startswith(declared)} if declared else {}
    return Snapshot(
        "connect", "identity",
        services=(ServiceFact("app", "app", "/srv/app", "Dockerfile", build_args=args or {}),),
        dockerfiles={"app": DockerfileFact("app", PLACE, parse(text), text, IGNORE, ignore or "", ignore is not None)},
        contexts={"app": ContextFact("app", "/srv/app", sources, (), gets_in)},
        sources={"app": SourceFact("/srv/app", "", {}, there, artifacts_in_context=declared)},
        bases={"app": base} if base else {},
    )  # fmt: skip


def found(*args: object, **kwargs: object) -> list[tuple[str, str, int]]:
    return [(f.rule, f.file, f.line) for f in findings(snapshot(*args, **kwargs))]  # type: ignore[arg-type]


BRINGS = f"{CLEAN}COPY . .\n"
NEXT = (".next/build-manifest.json", ".next/server.js")
CASES: list[tuple[str, dict[str, object], str, int, tuple[str, ...]]] = [
    # a name, what is there, the rule, its line (in the ignore file for what is about the context), the mended lines
    ("no ignore file", {"text": BRINGS, "untracked": NEXT}, "artifact-in-context", 0, (".next",)),
    ("an ignore file without it", {"text": BRINGS, "ignore": "a\nb\n", "untracked": NEXT}, "artifact-in-context", 2,
     (".next",)),
    ("let in again", {"text": BRINGS, "ignore": ".next\n!.next\n", "untracked": NEXT}, "artifact-in-context", 2,
     (".next",)),
    ("deeper", {"text": BRINGS, "untracked": ("p/a/dist/x.js", "p/b/dist/x.js")}, "artifact-in-context", 0,
     ("**/dist",)),
    ("deeper beside sources of that name", {"text": BRINGS, "untracked": ("p/dist/x",), "tracked": ("q/dist/y",)},
     "artifact-in-context", 0, ("p/dist",)),
    ("bytecode", {"text": BRINGS, "untracked": ("a/__pycache__/x.pyc", "b/y.pyc")}, "artifact-in-context", 0,
     ("**/*.pyc", "**/__pycache__")),
    ("declared", {"text": BRINGS, "untracked": ("public/bundle.js",), "declared": ("public",)}, "artifact-in-context",
     0, ("public",)),
    ("by a folder's COPY", {"text": f"{CLEAN}COPY --chown=1 web /w\n", "untracked": ("web/dist/x",)},
     "artifact-in-context", 0, ("**/dist",)),
    ("by a pattern", {"text": f"{CLEAN}ADD [\"p*/\", \"/w\"]\n", "untracked": ("pa/target/x",)}, "artifact-in-context",
     0, ("**/target",)),

    ("a build after COPY . .", {"text": f"{BRINGS}RUN npx next build\n", "ignore": "a"}, "copy-before-build", 4,
     ("RUN rm -rf .next && npx next build",)),
    ("a build in several lines", {"text": f"{BRINGS}RUN --network=none \\\n  tsc \\\n && x\n"}, "copy-before-build", 4,
     ("RUN rm -rf dist", "RUN --network=none \\", "  tsc \\", " && x")),
    ("a build in a here-document", {"text": f"{BRINGS}RUN <<EOF\nmvn -q package\nEOF\n"}, "copy-before-build", 4,
     ("RUN rm -rf target", "RUN <<EOF", "mvn -q package", "EOF")),
    ("a build in exec form", {"text": f'{BRINGS}RUN ["vite", "build"]\n'.replace('", "', " ")}, "copy-before-build", 4,
     ("RUN rm -rf dist", 'RUN ["vite build"]')),
    ("one that knows a declared artifact", {"text": f"{BRINGS}RUN node build.mjs\n", "untracked": ("lib/out.js",),
     "declared": ("lib",), "tracked": ()}, "copy-before-build", 4, ("RUN rm -rf lib && node build.mjs",)),
    ("bytecode again", {"text": f"{BRINGS}RUN python -m compileall .\n"}, "copy-before-build", 0, ("**/__pycache__",)),

    ("a bundle on a cache mount", {"text": f"{BRINGS}RUN --mount=type=cache,target=/app/.next,id=x a b\n"},
     "cache-mount", 4, ("RUN a b",)),
    ("a mount below a build", {"text": f"{CLEAN}RUN --mount=type=cache,target=/work \\\n"
     "    --mount=type=secret,id=a \\\n    make\n"}, "cache-mount", 3, ("RUN --mount=type=secret,id=a \\", "    make")),

    ("no tag", {"text": f"FROM node\n{NAMED}"}, "floating-base", 1,
     ("# docker buildx imagetools inspect node tells the digest", "FROM node@sha256:<digest>")),
    ("a tag by an ARG", {"text": f"ARG T=20\nFROM --platform=linux/amd64 r:5000/n:$T as a\n{NAMED}"},
     "floating-base", 2, ("# docker buildx imagetools inspect r:5000/n:20 tells the digest",
      "FROM --platform=linux/amd64 r:5000/n:$T@sha256:<digest> as a")),
    ("a tag whose digest is known", {"text": f"FROM node:20\n{NAMED}",
     "base": BaseFact("app", "node:20", "sha256:i", (), digest="sha256:abc")}, "floating-base", 1,
     ("FROM node:20@sha256:abc",)),
    ("the base of an earlier stage", {"text": f"FROM node:20 AS a\n{CLEAN}COPY --from=a / /\n"}, "floating-base", 1,
     ("# docker buildx imagetools inspect node:20 tells the digest", "FROM node:20@sha256:<digest> AS a")),

    ("an image without a name", {"text": "FROM n:1234567890ab AS a\nRUN x \\\n y\n"}, "no-build-id", 3,
     ("ARG REVISION=unknown", 'LABEL org.opencontainers.image.revision="${REVISION}"')),

    ("a clone", {"text": "FROM n:1234567890ab\nRUN git clone --depth 1 https://h/x/app.git && make\nARG REVISION=1"},
     "fetch-in-run", 2, ("ARG FETCH_REF=<commit, version or checksum>",
     'RUN git clone --depth 1 https://h/x/app.git && git -C app checkout "${FETCH_REF}" && make')),
    ("a clone into a folder", {"text": "FROM n:1234567890ab\nRUN git clone https://h/x \\\n   /src\nARG REVISION=1"},
     "fetch-in-run", 2, ("ARG FETCH_REF=<commit, version or checksum>", "RUN git clone https://h/x \\",
     '   /src && git -C /src checkout "${FETCH_REF}"')),
    ("a download", {"text": "FROM n:1234567890ab\nRUN curl -fsSL https://h/latest.tgz -o /x.tgz && tar xf /x.tgz\n"
     "ARG REVISION=1"}, "fetch-in-run", 2, ("ARG FETCH_REF=<commit, version or checksum>",
     'RUN curl -fsSL https://h/latest.tgz -o /x.tgz && echo "${FETCH_REF}  /x.tgz" | sha256sum -c - && tar xf /x.tgz')),
    ("a script from the network", {"text": "FROM n:1234567890ab\nRUN curl -fsSL https://10.0.0.1/setup | sh\n"
     "ARG REVISION=1"}, "fetch-in-run", 2,
     ("ARG FETCH_REF=<commit, version or checksum>", "RUN curl -fsSL https://10.0.0.1/setup | sh")),
    ("a fetch by a program", {"text": "FROM n:1234567890ab\nRUN node -e \"get('http://h/')\" | tar -x\nARG REVISION=1"},
     "fetch-in-run", 2, ("ARG FETCH_REF=<commit, version or checksum>", "RUN node -e \"get('http://h/')\" | tar -x")),
    ("a package of a branch", {"text": "FROM n:1234567890ab\nRUN pip install git+https://h/x\nARG REVISION=1"},
     "fetch-in-run", 2, ("ARG FETCH_REF=<commit, version or checksum>", "RUN pip install git+https://h/x")),

    ("a password", {"text": BRINGS, "ignore": "a", "untracked": (".env",)}, "secrets-in-context", 1, (".env",)),
    ("keys", {"text": BRINGS, "tracked": ("tls/site.pem", "id_rsa")}, "secrets-in-context", 0, ("**/*.pem", "id_rsa")),
    ("the repository", {"text": BRINGS, "untracked": (".git/HEAD",)}, "secrets-in-context", 0, (".git",)),

    ("an ADD from the network", {"text": f"{CLEAN}ADD --chown=1 https://h/x.tgz /\n"}, "add-remote", 3,
     ("ADD --checksum=sha256:<digest> --chown=1 https://h/x.tgz /",)),
]  # fmt: skip
CASE = pytest.mark.parametrize(("there", "rule", "line", "mended"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
ABOUT_IGNORE = ("artifact-in-context", "secrets-in-context")


@CASE
def test_trap_is_found_at_its_line(there: dict[str, object], rule: str, line: int, mended: tuple[str, ...]) -> None:
    """The rule fires alone or beside others, at exactly this line, with exactly these lines to put there."""
    [finding] = [f for f in findings(snapshot(**there)) if f.rule == rule]  # type: ignore[arg-type]
    about_ignore = rule in ABOUT_IGNORE or (rule == "copy-before-build" and "__pycache__" in mended[0])
    assert (finding.file, finding.line, finding.mended) == (IGNORE if about_ignore else PLACE, line, mended)


@CASE
def test_mended_lines_mend(there: dict[str, object], rule: str, line: int, mended: tuple[str, ...]) -> None:
    """With the lines in their place the finding is gone, and no other has come."""
    before = findings(snapshot(**there))  # type: ignore[arg-type]
    [mine] = [f for f in before if f.rule == rule]
    ignore = there.get("ignore")
    changed = dict(there)
    if mine.file == IGNORE:
        changed["ignore"] = mend(str(ignore or ""), [mine])
    else:
        changed["text"] = mend(str(there["text"]), [mine])
    after = findings(snapshot(**changed))  # type: ignore[arg-type]
    assert rule not in [f.rule for f in after]
    assert {f.rule for f in after} <= {f.rule for f in before}


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("an artifact that no COPY takes", {"text": f"{CLEAN}COPY src package.json .\n", "untracked": NEXT}),
        ("an artifact that is kept out", {"text": BRINGS, "ignore": "**/.next\n", "untracked": NEXT}),
        ("an artifact that git tracks", {"text": BRINGS, "tracked": ("dist/x.js",)}),
        ("a COPY from a stage", {"text": f"{CLEAN}COPY --from=0 / /\nRUN npx next build\n", "untracked": NEXT}),
        ("a build that removes first", {"text": f"{BRINGS}RUN rm -rf .next && npx next build\n"}),
        ("a removal in a RUN before", {"text": f"{BRINGS}RUN rm -fr ./dist\nRUN tsc\n"}),
        ("a build of sources alone", {"text": f"{CLEAN}COPY src .\nRUN npx next build\n"}),
        ("a build in another stage", {"text": f"{BRINGS}{CLEAN}RUN tsc\n"}),
        ("a build before the COPY", {"text": f"{CLEAN}RUN tsc\nCOPY . .\n"}),
        ("a build with its artifact kept out", {"text": f"{BRINGS}RUN tsc\n", "ignore": "dist\n"}),
        ("a build into a folder of the sources", {"text": f"{BRINGS}RUN tsc\n", "tracked": ("dist/x",)}),
        ("go, which looks at content", {"text": f"{BRINGS}RUN go build ./...\n"}),
        ("an install", {"text": f"{BRINGS}RUN npm ci\n"}),
        ("npm's cache", {"text": f"{CLEAN}RUN --mount=type=cache,target=/root/.npm npm ci && make\n"}),
        ("pip's cache", {"text": f"{CLEAN}RUN --mount=type=cache,target=/root/.cache/pip make\n"}),
        ("go's caches", {"text": f"{CLEAN}RUN --mount=type=cache,target=/go/pkg/mod "
         "--mount=type=cache,target=/root/.cache/go-build go build\n"}),
        ("apt's cache", {"text": f"{CLEAN}RUN --mount=type=cache,target=/var/lib/apt/lists,sharing=locked make\n"}),
        ("another mount", {"text": f"{CLEAN}RUN --mount=type=bind,target=/app/dist make\n"}),
        ("a mount where nothing is built", {"text": f"{CLEAN}RUN --mount=type=cache,target=/work cp a b\n"}),
        ("a digest", {"text": f"FROM node:20@sha256:aa\n{NAMED}"}),
        ("scratch", {"text": f"FROM scratch\n{NAMED}"}),
        ("a stage", {"text": f"FROM a@sha256:1 AS Base\nFROM base\n{NAMED}"}),
        ("a base that is not given", {"text": f"ARG BASE\nFROM $BASE\n{NAMED}"}),
        ("a tag of content, given", {"text": f"ARG BASE\nFROM $BASE\n{NAMED}", "args": {"BASE": "n:39f60fc8a4ce"}}),
        ("a label", {"text": "FROM n@sha256:1\nLABEL org.opencontainers.image.revision=1\n"}),
        ("an ENV", {"text": "FROM n@sha256:1\nENV a=b GIT_SHA=1\n"}),
        ("a release", {"text": f"FROM n@sha256:1\nRUN curl -O https://h/app-1.2.3.tgz\n{NAMED}"}),
        ("a checksum", {"text": f"FROM n@sha256:1\nRUN wget https://h/a && echo 'a  a' | sha256sum -c\n{NAMED}"}),
        ("a branch of a version", {"text": f"FROM n@sha256:1\nRUN git clone -b v1.2 https://h/a\n{NAMED}"}),
        ("a fetch under the build's id", {"text": f"{CLEAN}RUN git clone https://h/a\n"}),
        ("a question to itself", {"text": f"FROM n@sha256:1\nRUN curl http://localhost/\n{NAMED}"}),
        ("an address in a file", {"text": f"FROM n@sha256:1\nRUN echo deb http://h/ x > /etc/apt/s.list\n{NAMED}"}),
        ("an ADD with a checksum", {"text": f"{CLEAN}ADD --checksum=sha256:1 https://h/x /\n"}),
        ("an ADD of a file", {"text": f"{CLEAN}ADD x.tgz /\n"}),
        ("an example", {"text": BRINGS, "untracked": (".env.example",)}),
        ("a secret that no COPY takes", {"text": f"{CLEAN}COPY src .\n", "untracked": (".env",)}),
        ("nothing at all", {"text": ""}),
        ("no text that docker knows", {"text": "\x00\n<<<<\nSELECT 1"}),
    ],
)  # fmt: skip
def test_no_trap_where_there_is_none(name: str, there: dict[str, object]) -> None:
    """What is all right is left alone."""
    assert found(**there) == [], name


def test_grave_tags_warn_and_others_are_noted() -> None:
    """`latest` moves by design; a version moves within its patches."""
    severities = {}
    for reference in ("node", "node:latest", "node:stable", "r:5000/node", "node:20", "node:20.11.1-slim"):
        [finding] = findings(snapshot(f"FROM {reference}\n{NAMED}"))
        severities[reference] = finding.severity
    assert [r for r, s in severities.items() if s == "note"] == ["node:20", "node:20.11.1-slim"]


def test_build_that_could_reuse_what_is_there_warns() -> None:
    """Where no artifact lies about yet, it is a note."""
    text = f"{BRINGS}RUN npx next build\n"
    assert [f.severity for f in findings(snapshot(text)) if f.rule == "copy-before-build"] == ["note"]
    there = findings(snapshot(text, untracked=NEXT))
    assert [f.severity for f in there if f.rule == "copy-before-build"] == ["warn"]


def test_one_dockerfile_of_two_services_is_told_once() -> None:
    """With both services' names."""
    one = snapshot(f"FROM node\n{NAMED}")
    fact = one.dockerfiles["app"]
    both = replace(one, dockerfiles={"app": fact, "twin": replace(fact, service="twin")})
    assert [f.service for f in findings(both)] == ["app, twin"]


def test_warnings_come_first_then_files_and_lines() -> None:
    """As a person reads them."""
    text = "FROM node:20\nFROM node\nCOPY . .\n"
    told = [(f.severity, f.file, f.line) for f in findings(snapshot(text, untracked=NEXT))]
    assert told == [("warn", IGNORE, 0), ("warn", PLACE, 2), ("note", PLACE, 1), ("note", PLACE, 3)]


def test_what_is_not_known_of_a_service_is_no_finding() -> None:
    """A Dockerfile without context, source, base or compose service is judged by its text alone."""
    one = snapshot(f"FROM node\n{NAMED}COPY . .\n")
    alone = Snapshot("connect", "identity", dockerfiles=one.dockerfiles)
    assert [f.rule for f in findings(alone)] == ["floating-base"]


@pytest.mark.parametrize(("file", "untracked"), [("Dockerfile", NEXT), ("scraper/Dockerfile", ())])
def test_healthy_sandbox_has_no_trap(file: str, untracked: tuple[str, ...]) -> None:
    """Its base is given with a tag made from content, its images carry their build, `.next` is kept out."""
    args = {"RUNTIME": "drillbook-node:39f60fc8a4ce"}
    ignore = (SITE / ".dockerignore").read_text() if file == "Dockerfile" else None
    declared = (".next",) if untracked and ignore is None else ()
    assert found((SITE / file).read_text(), ignore, untracked, args=args, declared=declared) == []


def test_incident_is_found_before_it_bites() -> None:
    """The sandbox's Dockerfile without its ignore file: the artifact that COPY takes, and the build that reuses it."""
    args = {"RUNTIME": "drillbook-node:39f60fc8a4ce"}
    text = (SITE / "Dockerfile").read_text()
    told = findings(snapshot(text, None, (*NEXT, ".env"), args=args, declared=(".next",)))
    assert [(f.rule, f.line, f.mended, f.severity) for f in told] == [
        ("artifact-in-context", 0, (".next",), "warn"),
        ("secrets-in-context", 0, (".env",), "warn"),
        ("copy-before-build", 6, ("RUN rm -rf .next && BUILD_ID=${BUILD_ID} node build.mjs",), "warn"),
    ]


def test_every_rule_has_a_case() -> None:
    """A rule without a test is not held to anything."""
    assert {case[2] for case in CASES} == set(RULES)


def test_lines_are_put_in_from_the_last_to_the_first() -> None:
    """So that each finding's line is still the one that it was found at."""
    first = Finding("a", "", "f", 1, "", ("x", "y"), "note", 2)
    second = Finding("b", "", "f", 3, "", ("z",), "note")
    assert mend("1\n2\n3\n4\n", [first, second]) == "x\ny\n3\nz\n4\n"
