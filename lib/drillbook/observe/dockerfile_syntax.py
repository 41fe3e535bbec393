"""The syntax of a Dockerfile, by BuildKit's rules: instructions with their lines, here-documents, variables.

Our own, because dockerfile-parse, the one Python parser that is kept up, takes the body of a here-document for
instructions (its issue 145) and gives no stages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from drillbook.observe.facts_code import Instruction

DIRECTIVE = re.compile(r"^#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*$")
WORD = re.compile(r"""(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^\s'"\\]|['"\\])+""")
DOCUMENT = re.compile(r"\d*<<(-?)([^<]+)")
HOLDS_DOCUMENTS = ("RUN", "COPY", "ADD", "ONBUILD")
VARIABLE = re.compile(r"\\(\$)|\$(?:(\w+)|\{(\w+)(?::?([-+])((?:[^{}]|\$\{[^{}]*\})*))?\})")


@dataclass(frozen=True)
class From:
    """A FROM: the reference with its variables filled in, and the name that the stage is given, in small letters."""

    instruction: Instruction
    reference: str
    name: str


def parse(text: str) -> tuple[Instruction, ...]:
    """The instructions of a Dockerfile, in order.

    A value is what follows the word, continuation lines joined and comments taken
    out; a here-document stands in it with its lines. Never raises: what is no
    instruction stands as a word that no one knows.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    escape, found, stage, at = _escape(lines), list[Instruction](), -1, 0
    while at < len(lines):
        if not lines[at].strip() or lines[at].lstrip().startswith("#"):
            at += 1
            continue
        whole, after = _logical(lines, at, escape)
        word, _, value = whole.strip().partition(" ")
        if "\t" in word:
            word, _, value = whole.strip().partition("\t")
        word = word.upper()
        stage += word == "FROM"
        body, end = _documents(lines, after, word, value)
        found.append(Instruction(at + 1, end, word, "\n".join([value.strip(), *body]), stage))
        at = end
    return tuple(found)


def _escape(lines: list[str]) -> str:
    for line in lines:
        match = DIRECTIVE.match(line.strip())
        if not match:
            break
        if match[1].lower() == "escape":
            return "`" if match[2] == "`" else "\\"
    return "\\"


def _logical(lines: list[str], at: int, escape: str) -> tuple[str, int]:
    """The line at *at* with its continuations, and the index of the line after them."""
    continued = re.compile(re.escape(escape) + r"[ \t]*$")
    parts, going = list[str](), True
    while going and at < len(lines):
        line = lines[at]
        at += 1
        if parts and (not line.strip() or line.lstrip().startswith("#")):
            continue
        going = bool(continued.search(line))
        parts.append(continued.sub("", line))
    return "".join(parts), at


def _documents(lines: list[str], at: int, word: str, value: str) -> tuple[list[str], int]:
    """The lines of the here-documents that *value* opens, their ends included, and the index after them."""
    body = list[str]()
    if word not in HOLDS_DOCUMENTS or re.match(r"(?:--\S+\s+)*\[", value.lstrip()):
        return body, at
    opened = [match.groups() for word in WORD.findall(value) if (match := DOCUMENT.fullmatch(word))]
    for tabs, quoted in opened:
        name = re.sub(r"['\"]", "", quoted)
        while at < len(lines):
            line = lines[at]
            at += 1
            body.append(line)
            if (line.lstrip("\t") if tabs else line) == name:
                break
    return body, at


def expand(text: str, values: Mapping[str, str]) -> str:
    """*text* with `$X`, `${X}`, `${X:-y}` and `${X:+y}` replaced; a variable without a value is empty."""

    def put(match: re.Match[str]) -> str:
        if match[1]:
            return "$"
        held = values.get(match[2] or match[3], "")
        other = expand(match[5] or "", values)
        if match[4] == "+":
            return other if held else ""
        return held or other

    return VARIABLE.sub(put, text)


def base_arguments(instructions: tuple[Instruction, ...], given: Mapping[str, str]) -> dict[str, str]:
    """What the variables of a FROM stand for: the ARGs before the first FROM, as *given* or by their defaults."""
    values = dict[str, str]()
    for instruction in instructions:
        if instruction.word == "ARG" and instruction.stage < 0:
            for name, default in _pairs(instruction.value):
                values[name] = given.get(name, expand(default, values))
    return values


def _pairs(value: str) -> Iterator[tuple[str, str]]:
    for name, quoted, plain in re.findall(r"(\w+)(?:=(?:[\"']([^\"']*)[\"']|(\S*)))?", value):
        yield name, quoted or plain


def bases(instructions: tuple[Instruction, ...], given: Mapping[str, str]) -> tuple[From, ...]:
    """Every FROM, variables filled in from *given* build arguments and defaults, stage by stage."""
    values = base_arguments(instructions, given)
    return tuple(_from(i, values) for i in instructions if i.word == "FROM")


def _from(instruction: Instruction, values: Mapping[str, str]) -> From:
    match = re.match(r"(?:--\S+\s+)*(\S+)(?:\s+[aA][sS]\s+(\S+))?", instruction.value)
    reference, name = match.groups() if match else ("", "")
    return From(instruction, expand(reference, values).strip("\"'"), (name or "").lower())


def stage_of(stages: tuple[From, ...], wanted: str) -> int:
    """The index of the stage called, or counted as, *wanted*; of the last one where none is wanted or known."""
    for index, stage in enumerate(stages):
        if wanted and wanted.lower() in (stage.name, str(index)):
            return index
    return len(stages) - 1


def external(stages: tuple[From, ...], index: int) -> From | None:
    """The FROM that brings the image that stage *index* stands on in the end; None for `scratch`."""
    through = chain(stages, index)
    lowest = stages[through[-1]] if through else None
    return None if lowest is None or lowest.reference in ("", "scratch") else lowest


def chain(stages: tuple[From, ...], index: int) -> list[int]:
    """Stage *index*, the stage that it stands on, and so on down to the one that stands on an image."""
    through = list[int]()
    while index >= 0:
        through.append(index)
        above = [i for i in range(index) if stages[i].name == stages[index].reference.lower() and stages[i].name]
        index = above[-1] if above else -1
    return through
