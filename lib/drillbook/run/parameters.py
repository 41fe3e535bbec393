"""Strict parameters: text and YAML held against what a runbook declares, before a kernel starts."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import yaml

from drillbook.errors import BadParameters
from drillbook.run.declared import Parameter, members
from drillbook.run.redact import smells_of_secret
from drillbook.run.runbooks import Runbook, find, read
from drillbook.suggest import nearest

if TYPE_CHECKING:
    from pydantic import BaseModel

_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]*)")


def schema(notebook: Path) -> type[BaseModel]:
    """The parameters of the runbook *notebook* as a model: strict types, no other names."""
    from pydantic import ConfigDict, create_model

    runbook = read(notebook)
    fields: dict[str, Any] = {p.name: (p.annotation, p.default) for p in runbook.parameters}
    config = ConfigDict(strict=True, extra="forbid", protected_namespaces=())
    return create_model(runbook.path.stem, __config__=config, **fields)


def resolve(runbook: Runbook, given: Mapping[str, str], file: Mapping[str, Any]) -> dict[str, Any]:
    """All values of *runbook*'s parameters: texts *given* win over *file*'s values, these over defaults.

    Changes nothing.

    Raises:
        BadParameters: an unknown name, a wrong type, a bad choice, or a
            secret given by value; the error names it and the valid ones.
    """
    declared = {p.name: p for p in runbook.parameters}
    _known([*file, *given], runbook)
    parsed = {name: _parse(text, declared[name], runbook) for name, text in given.items()}
    return validate({**file, **parsed}, runbook)


def validate(values: Mapping[str, Any], runbook: Runbook) -> dict[str, Any]:
    """*values* held strictly against the types of *runbook*; defaults fill the rest.

    Raises:
        BadParameters: as `resolve`.
    """
    from pydantic import ValidationError

    _known(values, runbook)
    try:
        resolved = schema(runbook.path).model_validate(dict(values)).model_dump()
    except ValidationError as error:
        raise _told(error, runbook) from error
    for name, value in resolved.items():
        if smells_of_secret(name) and value and not str(value).startswith(("env:", "file:")):
            raise BadParameters(
                f"{runbook.path.name}: parameter {name}: a secret was given by value",
                "name it instead: env:NAME or file:PATH; and change the secret, for it has been on a command line",
            )
    return resolved


def parameters_file(file: Path) -> dict[str, Any]:
    """The values in the YAML *file* of an unattended run.

    Raises:
        BadParameters: it cannot be read, or is not a mapping of names.
    """
    try:
        raw = yaml.safe_load(file.read_text()) or {}
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadParameters(f"the parameters file {file} cannot be read: {error}", "give a YAML file") from error
    if not isinstance(raw, dict) or not all(isinstance(name, str) for name in raw):
        raise BadParameters(f"{file} is not a mapping of parameter names to values", "write lines of `name: value`")
    return raw


def check_injected(runbook: str, cells: list[str]) -> dict[str, Any]:
    """The parameters that papermill injected, held against *runbook*'s; papermill itself only warns.

    *cells* are the sources of the cells executed so far; none injected is well.

    Raises:
        BadParameters: as `resolve`.
    """
    injected = [cell for cell in cells if cell.lstrip().startswith("# Parameters")]
    values: dict[str, Any] = {}
    if not injected:
        return values
    found = find(runbook)
    for node in ast.parse(injected[-1]).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                values[name] = _literal(name, value, found)
    try:
        validate(values, found)
    except BadParameters as error:
        number = next((n for n, v in values.items() if _is_number(v) and f"parameter {n}:" in error.fact), "")
        hint = f"papermill reads -p values as numbers where it can: give it as text with -r {number}" if number else ""
        raise BadParameters(error.fact, hint or error.hint) from error
    return values


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _literal(name: str, value: ast.expr, runbook: Runbook) -> Any:
    try:
        return ast.literal_eval(value)
    except ValueError as error:
        raise BadParameters(f"{runbook.path.name}: parameter {name}: not a plain value", "") from error


def _known(names: Any, runbook: Runbook) -> None:
    declared = [p.name for p in runbook.parameters]
    for name in names:
        if name not in declared:
            raise BadParameters(
                f"{runbook.path.name}: parameter {name}: there is none of this name",
                f"{nearest(name, declared)}the parameters are: {', '.join(declared) or 'none'}",
            )


def _parse(text: str, parameter: Parameter, runbook: Runbook) -> Any:
    """The value that *text* spells for *parameter*; text stays text where text is allowed."""
    kinds = members(parameter.annotation)
    for kind in sorted(kinds, key=lambda kind: kind is str):
        value = _parse_as(text, kind)
        if value is not _NO:
            return value
    raise _bad(parameter, text, runbook)


_NO: Any = object()


def _parse_as(text: str, kind: Any) -> Any:  # noqa: PLR0911
    match get_origin(kind) or kind:
        case t if t is str:
            return text
        case t if t is bool:
            return {"true": True, "false": False}.get(text, _NO)
        case t if t is int:
            return int(text) if _INTEGER.fullmatch(text) else _NO
        case t if t is float:
            return _float(text)
        case t if t is Literal:
            return next((choice for choice in get_args(kind) if str(choice) == text), _NO)
        case t if t is list or t is dict:
            return _nest(text, t)
    return None if text == "null" else _NO


def _float(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return _NO


def _nest(text: str, kind: type) -> Any:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return _NO
    return value if isinstance(value, kind) else _NO


def _bad(parameter: Parameter, value: Any, runbook: Runbook) -> BadParameters:
    where = f"{runbook.path.name}: parameter {parameter.name}"
    shown = "the value" if smells_of_secret(parameter.name) else repr(value)
    if parameter.choices:
        choices = [str(choice) for choice in parameter.choices]
        hint = f"{nearest(str(value), choices)}the choices are: {', '.join(choices)}"
        return BadParameters(f"{where}: {shown} is not one of its choices", hint)
    about = f" ({parameter.description})" if parameter.description else ""
    return BadParameters(f"{where}: {shown} is not of the type {parameter.kind}", f"give {parameter.kind}{about}")


def _told(error: Any, runbook: Runbook) -> BadParameters:
    first = error.errors(include_url=False, include_context=False)[0]
    name = str(first["loc"][0])
    parameter = next(p for p in runbook.parameters if p.name == name)
    return _bad(parameter, first["input"], runbook)
