"""Instructions that fetch what moves: the layer cache keeps the first answer for ever."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from drillbook.decide.finding import CARRIES_BUILD, Finding, Subject
from drillbook.observe.facts_code import Instruction

FETCHES = re.compile(
    r"\b(?:curl|wget|aria2c)\b(?=[^&;|]*\b(?:https?|ftp)://)|\bgit\s+(?:clone|pull|fetch)\b"
    r"|\bpip3?\s+install\b(?=[^&;|]*(?:git\+|https?://\S+\.(?:whl|zip|tar)))"
    r"|\b(?:npm|pnpm|yarn)\s+(?:i|install|add)\b(?=[^&;|]*(?:git\+|github:|https?://\S+\.t))"
    r"|\bgo\s+install\b(?=[^&;|]*@(?:latest|main|master))"
    r"|\b(?:node|python3?|ruby|perl)\s+-[ec]\b(?=.*https?://)",
    re.DOTALL,
)
CHECKED = re.compile(r"\bsha\d+sum\b|\bshasum\b|\bgpg\b.*--verify|\bcosign\s+verify|\bminisign\b", re.DOTALL)
URL = re.compile(r"\b(?:https?|ftp)://[^\s'\"\\)]+")
VERSION = re.compile(r"\d+\.\d+|[0-9a-f]{12,}|\$")
LOCAL = ("localhost", "127.0.0.1", "[::1]")
CLONE = re.compile(r"\bgit\s+clone\b(?P<rest>(?:[^&;|\n\\]|\\\n)*)")
OUTPUT = re.compile(r"(?:\s(?:-o|--output|-O|--output-document)[ =]?|>\s*)(?P<file>[^\s'\"&;|>-][^\s&;|]*)")
DOWNLOAD = re.compile(r"\b(?:curl|wget)\b(?:[^&;|\n\\]|\\\n)*")
REF = "ARG FETCH_REF=<commit, version or checksum>"


def fetch_in_run(subject: Subject) -> Iterator[Finding]:
    """A RUN that fetches something that is not pinned: while its text stays, it is not fetched again."""
    for run in subject.words("RUN"):
        found = FETCHES.search(run.value)
        if found and not CHECKED.search(run.value) and not _pinned(run.value) and not _keyed(subject, run):
            what = " ".join(found[0].split())
            says = f"`{what}` fetches what moves, and its layer is cached by its text alone"
            yield subject.at("fetch-in-run", run, says, [REF, *_checked(subject.lines(run))], "warn")


def _pinned(command: str) -> bool:
    """Whether all that is fetched is named by a version, a digest or a variable."""
    if re.search(r"\bgit\s+(?:clone|pull|fetch)\b", command):
        return bool(re.search(r"\bcheckout\s+\S*(?:[0-9a-f]{12,}|\$)|(?:-b|--branch)[ =]\S*(?:\d+\.\d+|\$)", command))
    urls = [urlsplit(url) for url in URL.findall(command)]
    remote = [url for url in urls if url.hostname not in LOCAL]
    return bool(urls) and all(VERSION.search(url.path) or VERSION.search(url.query) for url in remote)


def _keyed(subject: Subject, run: Instruction) -> bool:
    """Whether an ARG before it carries the build: a new value fetches anew."""
    before = [i for i in subject.words("ARG") if i.stage == run.stage and i.line < run.line]
    return any(CARRIES_BUILD.search(i.value) for i in before)


def _checked(lines: tuple[str, ...]) -> list[str]:
    """The RUN's lines, with what was fetched held against the pinned reference where that can be said in a line."""
    text = "\n".join(lines)
    clone, download = CLONE.search(text), DOWNLOAD.search(text)
    if clone:
        folder = _cloned(clone["rest"].replace("\\\n", " ").split())
        return _after(text, clone.end(), f'git -C {folder} checkout "${{FETCH_REF}}"')
    file = OUTPUT.search(download[0]) if download else None
    if download and file:
        return _after(text, download.end(), f'echo "${{FETCH_REF}}  {file["file"]}" | sha256sum -c -')
    return list(lines)


def _cloned(words: list[str]) -> str:
    """The folder that `git clone` makes, by its arguments."""
    at = next((n for n, word in enumerate(words) if not word.startswith("-") and re.search(r"[:/]", word)), None)
    if at is None:
        return "."
    return words[at + 1] if at + 1 < len(words) else words[at].rstrip("/").rpartition("/")[2].removesuffix(".git")


def _after(text: str, end: int, command: str) -> list[str]:
    head = text[:end].rstrip()
    return f"{head} && {command}{text[len(head) : end]}{text[end:]}".split("\n")


def add_remote(subject: Subject) -> Iterator[Finding]:
    """An ADD from the network without a checksum."""
    for add in subject.words("ADD"):
        url = next(iter(URL.findall(add.value)), "")
        if not url or "--checksum=" in add.value or re.search(r"\.git(?:#[0-9a-f]{40})?$", url):
            continue
        lines = list(subject.lines(add))
        lines[0] = re.sub(r"^(\s*ADD\s+)", r"\1--checksum=sha256:<digest> ", lines[0], flags=re.IGNORECASE)
        says = f"{url} may give something else tomorrow; a checksum (BuildKit, docker/dockerfile:1.6) notices"
        yield subject.at("add-remote", add, says, lines, "note")
