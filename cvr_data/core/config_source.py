"""The defaults of a component's options, read from its source: to look at a model imports no torch.

    defaults_of(source)     # {"epochs": "30", "checkpoint": "None", "path": "(required)"}

The expressions of the defaults are worked out, with the constants and the few names that they use, and nothing else of
the file is run.
"""

import ast
import builtins
import dataclasses
import importlib
import os
from pathlib import Path
from typing import Any

REQUIRED = "(required)"
ORDINARY = {"field": dataclasses.field, "Path": Path, "os": os}
"""What defaults are written with, beside constants."""
NO_FIELDS = ("ClassVar", "KW_ONLY", "InitVar")
"""Annotations of what is no option."""


def defaults_of(source: str) -> dict[str, str] | None:
    """Return field -> default as text of the class `Config`; None where only the component itself knows them."""
    body = ast.parse(source).body
    found = next((node for node in body if isinstance(node, ast.ClassDef) and node.name == "Config"), None)
    if found is None or found.bases:
        return None
    fields = [node for node in found.body if isinstance(node, ast.AnnAssign)]
    if any(name in ast.unparse(node.annotation) for node in fields for name in NO_FIELDS):
        return None
    try:
        return {ast.unparse(node.target): _text(node.value, body) for node in fields}
    except Exception:  # an expression of any kind may fail in any way; the component itself says how
        return None


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
    values = {node.id: _named(node.id, body) for node in ast.walk(default) if isinstance(node, ast.Name)}
    value = eval(compile(ast.Expression(default), "<default>", "eval"), values)
    return default_text(value) if isinstance(value, dataclasses.Field) else repr(value)


def _named(name: str, body: list[ast.stmt]) -> Any:
    """The value of a name of the file: a constant there, imported from where the file has it, or of Python itself."""
    bound = [node for node in body if name in _bound_names(node)]
    if not bound and hasattr(builtins, name):
        return getattr(builtins, name)
    if len(bound) > 1:
        raise LookupError(name)
    if name in ORDINARY and (not bound or isinstance(bound[0], ast.Import | ast.ImportFrom)):
        return ORDINARY[name]
    node = bound[0] if bound else None
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return getattr(importlib.import_module(node.module), name)
    if isinstance(node, ast.Assign):
        return _constant(node.value)
    raise LookupError(name)


def _bound_names(statement: ast.AST) -> set[str]:
    """The names of the file that a statement gives a value to, also within a `try` or `if`."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name for alias in statement.names}
    if isinstance(statement, ast.Name):
        return {statement.id} if isinstance(statement.ctx, ast.Store) else set()
    return {name for inner in ast.iter_child_nodes(statement) for name in _bound_names(inner)}


def _constant(value: ast.expr) -> Any:
    try:
        return ast.literal_eval(value)
    except ValueError:
        raise LookupError(ast.unparse(value)) from None
