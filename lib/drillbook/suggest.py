"""Validation errors told to a person: the path, what is wrong, the valid choices."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable

from pydantic import BaseModel, ValidationError


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean 'x'? ` for the nearest of *known*, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]!r}? " if close else ""


def told(error: ValidationError, model: type[BaseModel]) -> tuple[str, str]:
    """The first problem of *error* as a fact and a hint; further ones are counted."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    first = problems[0]
    path = ".".join(str(part) for part in first["loc"]) or "the file"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if first["type"] == "extra_forbidden":
        known = _keys(model, first["loc"][:-1])
        hint = f"{nearest(str(first['loc'][-1]), known)}the keys here are: {', '.join(known)}"
        return f"{path}: unknown key{more}", hint
    return f"{path}: {first['msg'].removeprefix('Value error, ')}{more}", ""


def _keys(model: type[BaseModel], path: Iterable[int | str]) -> list[str]:
    here: object = model
    parts = iter(path)
    for part in parts:
        if isinstance(here, type) and issubclass(here, BaseModel):
            field = here.model_fields.get(str(part))
            if field and typing.get_origin(field.annotation) is dict:
                next(parts, None)  # the name of an entry is no field
            here = _inner(field.annotation) if field else None
    if isinstance(here, type) and issubclass(here, BaseModel):
        return sorted(here.model_fields)
    return []


def _inner(annotation: object) -> object:
    """The model inside `Model | None`, `dict[str, Model]` or `Model`."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union, dict):
        models = [a for a in typing.get_args(annotation) if isinstance(a, type) and issubclass(a, BaseModel)]
        return models[0] if models else None
    return annotation
