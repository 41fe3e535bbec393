"""Keeps the values of secrets out of whatever a run leaves behind."""

from __future__ import annotations

import base64
import html
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from drillbook.act import durable
from drillbook.errors import BadTarget

if TYPE_CHECKING:
    from drillbook.target import Target

SHORTEST = 6
LINE = 40
_SECRET_WORD = re.compile(r"(^|[_-])(password|passwd|passphrase|secret|token|key|apikey)([_-]|$)", re.IGNORECASE)
_PLACE_WORD = re.compile(r"_(file|path|dir|id|name|url|sock)$", re.IGNORECASE)
_TEXT = {".ipynb", ".json", ".jsonl", ".html", ".log", ".txt", ".md", ".svg", ".csv", ".xml"}


def smells_of_secret(name: str) -> bool:
    """Whether *name* has password, secret, token or key among its words."""
    return bool(_SECRET_WORD.search(name)) and not _PLACE_WORD.search(name)


def secrets_of(target: Target | None, parameters: Mapping[str, Any] | None = None) -> dict[str, str]:
    """The secret values by name: the target's, the parameters', and this environment's.

    Changes nothing. A secret that cannot be read is left out: whoever needs it says so.
    """
    found = {f"env:{name}": value for name, value in os.environ.items() if smells_of_secret(name)}
    if target is not None:
        from drillbook.target import secret

        for name in {*named(target.model_dump()), *named(dict(parameters or {}))}:
            try:
                value = found[name] = secret(name, target)
            except (BadTarget, UnicodeDecodeError):
                continue
            if "\n" in value:  # a key file: each of its lines is as good as all of them
                found |= {f"{name} line {n}": line for n, line in enumerate(value.split("\n"), 1) if len(line) > LINE}
    return {name: value for name, value in found.items() if len(value) >= SHORTEST}


def named(value: Any) -> Iterator[str]:
    """Every `env:…` or `file:…` in a nest of plain values."""
    if isinstance(value, str) and value.startswith(("env:", "file:")) and not value.startswith("file://"):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from named(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from named(part)


class Redactor:
    """Replaces secret values by `[redacted NAME]`, in every spelling that outputs use."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self.secrets = dict(secrets)
        self._names = {form: name for name, value in secrets.items() for form in _spellings(value)}
        longest_first = sorted(self._names, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def text(self, text: str) -> str:
        """*text* without secrets."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: f"[redacted {self._names[match[0]]}]", text)

    def tree(self, value: Any) -> Any:
        """A nest of plain values without secrets; keys too."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.tree(part) for key, part in value.items()}
        return [self.tree(part) for part in value] if isinstance(value, list | tuple) else value

    def notebook(self, text: str) -> str:
        """A notebook's JSON without secrets; joined as a reader would see it, so that no line break hides one."""
        if self._pattern is None:
            return text
        return json.dumps(self.tree(_joined(json.loads(text))), indent=1, ensure_ascii=False) + "\n"

    def folder(self, folder: Path) -> list[Path]:
        """Rewrite each text file in *folder* that holds a secret; gives those files."""
        changed = []
        for file in sorted(folder.rglob("*")) if self._pattern else []:
            if file.is_symlink() or not file.is_file() or file.suffix not in _TEXT:
                continue
            before = file.read_bytes().decode(errors="surrogateescape")
            if (after := self.text(before)) != before:
                durable.replace(file, after.encode(errors="surrogateescape"))
                changed.append(file)
        return changed


def _joined(value: Any) -> Any:
    """Notebook text kept as lists of lines becomes one string each."""
    if isinstance(value, list):
        if value and all(isinstance(part, str) for part in value) and any(part.endswith("\n") for part in value[:-1]):
            return "".join(value)
        return [_joined(part) for part in value]
    if isinstance(value, dict):
        return {key: _joined(part) for key, part in value.items()}
    return value


def _spellings(value: str) -> set[str]:
    """*value* as it looks plain, in JSON, in a repr, in HTML, in a URL and in base64."""
    raw = value.encode()
    forms = {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
    forms |= {
        html.escape(value),
        html.escape(value, quote=False),
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
    }
    forms |= {json.dumps(form)[1:-1] for form in list(forms)}
    return {form for form in forms | {base64.b64encode(raw).decode()} if len(form) >= SHORTEST}
