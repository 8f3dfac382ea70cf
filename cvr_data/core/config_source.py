"""A component's options, read from its source: to look at a model imports no torch.

    defaults_of(source)     # {"epochs": "30", "checkpoint": "None", "path": "(required)"}
    field_docs(source)      # {"epochs": "Times that every triplet is seen."}

A Config may inherit options; its bases stand in the same file or in one that it imports them from. Its own options come
first. The expressions of the defaults are worked out, with the constants and the few names that they use, and nothing
else of a file is run.
"""

import ast
import builtins
import contextlib
import dataclasses
import importlib
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REQUIRED = "(required)"
ORDINARY = {"field": dataclasses.field, "Path": Path, "os": os}
"""What defaults are written with, beside constants."""


def defaults_of(source: str) -> dict[str, str] | None:
    """Return field -> default as text of the class `Config`; None where only the component itself knows them."""
    found: dict[str, str] = {}
    try:
        for config, body in _with_bases("Config", ast.parse(source).body):
            for node in config.body:
                if isinstance(node, ast.AnnAssign) and (name := ast.unparse(node.target)) not in found:
                    found[name] = _text(node.value, body)
    except LookupError:
        return None
    return found


def field_docs(source: str) -> dict[str, str]:
    """Return the docstring under each field of the class `Config`; a field without one has that of a base."""
    docs: dict[str, str] = {}
    with contextlib.suppress(LookupError):  # of a base that cannot be found nothing is said
        for config, _ in _with_bases("Config", ast.parse(source).body):
            for field, after in zip(config.body, config.body[1:], strict=False):
                doc = after.value if isinstance(after, ast.Expr) else None
                if isinstance(field, ast.AnnAssign) and isinstance(doc, ast.Constant):
                    docs.setdefault(ast.unparse(field.target), str(doc.value))
    return docs


def _with_bases(name: str, body: list[ast.stmt]) -> Iterator[tuple[ast.ClassDef, list[ast.stmt]]]:
    """Yield a class and all its bases, the nearest first, each with the statements of its file."""
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            yield node, body
            for base in node.bases:
                yield from _with_bases(ast.unparse(base), body)
            return
    yield from _with_bases(name, _imported_from(name, body))


def _imported_from(name: str, body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements of the file that a name comes from; of what is imported only packages are run."""
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.module and any(alias.name == name for alias in node.names):
            spec = importlib.util.find_spec(node.module) if not node.level else None
            if spec is not None and spec.origin is not None:
                return ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body
    raise LookupError(name)


def default_text(value: dataclasses.Field) -> str:
    """Return the default of a field as text."""
    if value.default is not dataclasses.MISSING:
        return repr(value.default)
    if value.default_factory is not dataclasses.MISSING:
        return repr(value.default_factory())
    return REQUIRED


def _text(default: ast.expr | None, body: list[ast.stmt]) -> str:
    if default is None:
        return REQUIRED
    names = {node.id for node in ast.walk(default) if isinstance(node, ast.Name) and not hasattr(builtins, node.id)}
    values = {name: _named(name, body) for name in names}
    value = eval(compile(ast.Expression(default), "<default>", "eval"), values)
    return default_text(value) if isinstance(value, dataclasses.Field) else repr(value)


def _named(name: str, body: list[ast.stmt]) -> Any:
    """The value of a name of the file: a constant there, or imported from where the file has it."""
    if name in ORDINARY:
        return ORDINARY[name]
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.module and any(alias.name == name for alias in node.names):
            return getattr(importlib.import_module(node.module), name)
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in node.targets):
            return _constant(node.value)
    raise LookupError(name)


def _constant(value: ast.expr) -> Any:
    try:
        return ast.literal_eval(value)
    except ValueError:
        raise LookupError(ast.unparse(value)) from None
