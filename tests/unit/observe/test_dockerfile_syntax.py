"""Dockerfiles as BuildKit's parser reads them."""

from __future__ import annotations

import pytest

from drillbook.observe.dockerfile_syntax import bases, expand, external, parse, stage_of


def shape(text: str) -> list[tuple[int, int, str, str]]:
    return [(i.line, i.end, i.word, i.value) for i in parse(text)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", []),
        ("# only a comment\n", []),
        ("from a\n", [(1, 1, "FROM", "a")]),
        ("\ufeffFROM a\r\nRUN b\r\n", [(1, 1, "FROM", "a"), (2, 2, "RUN", "b")]),
        ("RUN\ta", [(1, 1, "RUN", "a")]),
        ("RUN a \\\n  b\nCMD c", [(1, 2, "RUN", "a   b"), (3, 3, "CMD", "c")]),
        ("RUN a \\\n# not this\n\n  b \\  \n c", [(1, 5, "RUN", "a   b  c")]),
        ("RUN a \\", [(1, 1, "RUN", "a")]),
        ("# escape=`\nRUN a `\n b\nCOPY c:\\ d\\\nCMD e",
         [(2, 3, "RUN", "a  b"), (4, 4, "COPY", "c:\\ d\\"), (5, 5, "CMD", "e")]),
        ("# a comment\n# escape=`\nRUN a `\nCMD b", [(3, 3, "RUN", "a `"), (4, 4, "CMD", "b")]),
        ("ONBUILD RUN make\n", [(1, 1, "ONBUILD", "RUN make")]),
        ("RUN <<EOF\nFROM x\n# kept\nEOF\nCMD a", [(1, 4, "RUN", "<<EOF\nFROM x\n# kept\nEOF"), (5, 5, "CMD", "a")]),
        ("RUN <<'E F'\na\nE F\nCMD b", [(1, 3, "RUN", "<<'E F'\na\nE F"), (4, 4, "CMD", "b")]),
        ("RUN cat<<EOF \"a <<EOF b\" x='<<EOF'\nCMD a",
         [(1, 1, "RUN", "cat<<EOF \"a <<EOF b\" x='<<EOF'"), (2, 2, "CMD", "a")]),
        ("RUN <<-EOF\n\ta\n\tEOF\nCMD b", [(1, 3, "RUN", "<<-EOF\n\ta\n\tEOF"), (4, 4, "CMD", "b")]),
        ("COPY <<a <<\"b\" /\n1\na\n2\nb\nCMD c", [(1, 5, "COPY", '<<a <<"b" /\n1\na\n2\nb'), (6, 6, "CMD", "c")]),
        ("RUN cat <<EOF > /f && make\nx\nEOF\n", [(1, 3, "RUN", "cat <<EOF > /f && make\nx\nEOF")]),
        ("RUN <<EOF\nnever ends", [(1, 2, "RUN", "<<EOF\nnever ends")]),
        ("RUN echo $((1<<2)) <<<x\nCMD a", [(1, 1, "RUN", "echo $((1<<2)) <<<x"), (2, 2, "CMD", "a")]),
        ('RUN ["sh", "-c", "cat <<EOF"]\nCMD a', [(1, 1, "RUN", '["sh", "-c", "cat <<EOF"]'), (2, 2, "CMD", "a")]),
        ("ENV a=<<b\nCMD a", [(1, 1, "ENV", "a=<<b"), (2, 2, "CMD", "a")]),
    ],
)  # fmt: skip
def test_instructions_have_the_lines_that_a_person_sees(text: str, told: list[tuple[int, int, str, str]]) -> None:
    """Continuations, comments inside, here-documents, the escape directive and either line end."""
    assert shape(text) == told


def test_stages_are_counted_from_the_first_from() -> None:
    """An ARG before the first FROM belongs to no stage."""
    assert [i.stage for i in parse("ARG A\nFROM a\nRUN b\nFROM c AS d\nCMD e")] == [-1, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("$A", "1"), ("${A}", "1"), ("x${A}y", "x1y"), ("$NO", ""), ("${NO:-d}", "d"), ("${NO-d}", "d"),
        ("${A:-d}", "1"),
        ("${E:-d}", "d"), ("${A:+d}", "d"), ("${NO:+d}", ""), ("${NO:-${A}}", "1"), ("${NO:-x${A}y}", "x1y"),
        (r"\$A", "$A"), ("a$", "a$"), ("${NO:-a:1/b}", "a:1/b"),
    ],
)  # fmt: skip
def test_variables_are_filled_in(text: str, told: str) -> None:
    """As a FROM has them."""
    assert expand(text, {"A": "1", "E": ""}) == told


DOCKERFILE = """ARG TAG=20 FLAVOUR="slim"
ARG BASE=node:${TAG}-${FLAVOUR}
FROM --platform=$BUILDPLATFORM ${BASE} AS Build
FROM nginx:1 AS web
FROM build AS test
FROM scratch AS empty
COPY --from=build / /
FROM test
"""


@pytest.mark.parametrize(
    ("given", "target", "base"),
    [
        ({}, "", "node:20-slim"),
        ({"TAG": "22"}, "", "node:22-slim"),
        ({"BASE": "mirror/x@sha256:1"}, "", "mirror/x@sha256:1"),
        ({}, "web", "nginx:1"),
        ({}, "WEB", "nginx:1"),
        ({}, "1", "nginx:1"),
        ({}, "empty", None),
        ({}, "no-such-stage", "node:20-slim"),
    ],
)
def test_base_is_what_the_built_stage_stands_on_in_the_end(
    given: dict[str, str], target: str, base: str | None
) -> None:
    """Stages upon stages are followed, by name without regard to case, and the build's target counts."""
    stages = bases(parse(DOCKERFILE), given)
    found = external(stages, stage_of(stages, target))
    assert (found.reference if found else None) == base


@pytest.mark.parametrize("text", ["", "ARG A\n", "FROM\n", "FROM $NO\n"])
def test_dockerfile_without_a_base_has_none(text: str) -> None:
    """What cannot be built stands on nothing."""
    stages = bases(parse(text), {})
    assert external(stages, stage_of(stages, "")) is None


def test_stage_of_its_own_name_is_an_image() -> None:
    """`FROM node AS node` is the image node."""
    stages = bases(parse("FROM node AS node\n"), {})
    found = external(stages, 0)
    assert found is not None
    assert found.reference == "node"
