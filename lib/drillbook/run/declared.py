"""What a runbook declares: its parameters, read from the tagged cell without running it."""

from __future__ import annotations

import ast
import io
import tokenize
import types
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, Literal, get_args, get_origin

from drillbook.errors import RunbookError

PLAIN: dict[str, Any] = {"str": str, "int": int, "float": float, "bool": bool, "None": None}


@dataclass(frozen=True)
class Parameter:
    """One declared parameter; `description` is its line's comment."""

    name: str
    annotation: Any
    default: Any
    description: str = ""

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values of its Literal, if it has one."""
        members = get_args(self.annotation) if _is_union(self.annotation) else (self.annotation,)
        return tuple(value for member in members if get_origin(member) is Literal for value in get_args(member))

    @property
    def kind(self) -> str:
        """Its type as a person would write it."""
        if self.choices:
            return " | ".join(str(choice) for choice in self.choices)
        if isinstance(self.annotation, type) and not get_args(self.annotation):
            return self.annotation.__name__
        return str(self.annotation)


def parameters(source: str, where: str) -> tuple[Parameter, ...]:
    """The parameters that the cell *source* of the runbook *where* declares.

    Changes nothing; runs nothing.

    Raises:
        RunbookError: a line is not `name: type = literal`.
    """
    comments = _comments(source)
    found = []
    for node in ast.parse(source).body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=ast.expr() as value):
                lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
                what = next((comments[line] for line in lines if line in comments), "")
                found.append(_read(lambda: Parameter(name, _type(annotation), ast.literal_eval(value), what), where))  # noqa: B023
            case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
                continue
            case _:
                raise _wrong(where, ast.unparse(node))
    return tuple(found)


def _read(make: Callable[[], Parameter], where: str) -> Parameter:
    try:
        return make()
    except (ValueError, KeyError) as error:
        raise _wrong(where, str(error)) from error


def _wrong(where: str, what: str) -> RunbookError:
    return RunbookError(
        f"{where}: its parameters cell cannot be read: {what}",
        "each line is `name: type = literal  # description`; types are "
        "str, int, float, bool, list[str], dict[str, str], Literal[…] and unions of them",
    )


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT}


def _type(node: ast.expr) -> Any:  # noqa: PLR0911
    """The type that an annotation of the few allowed forms names."""
    match node:
        case ast.Name(id=name):
            return PLAIN[name]
        case ast.Constant(value=None):
            return None
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inner):
            choices = ast.literal_eval(inner)
            return Literal[choices if isinstance(choices, tuple) else (choices,)]
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            return _type(inner) | None
        case ast.Subscript(value=ast.Name(id="list"), slice=inner):
            return types.GenericAlias(list, (_type(inner),))
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[key, value])):
            return types.GenericAlias(dict, (_type(key), _type(value)))
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return reduce(or_, (_type(left), _type(right)))
    raise ValueError(f"the type {ast.unparse(node)} is not one of the allowed ones")


def _is_union(annotation: Any) -> bool:
    return isinstance(annotation, types.UnionType) or str(get_origin(annotation)) == "typing.Union"


def members(annotation: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type."""
    return get_args(annotation) if _is_union(annotation) else (annotation,)
