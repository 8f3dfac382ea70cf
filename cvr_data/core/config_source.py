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


def defaults_of(source: str) -> dict[str, str] | None:
    """Return field -> default as text of the class `Config`; None where only the component itself knows them."""
    body = ast.parse(source).body
    found = next((node for node in body if isinstance(node, ast.ClassDef) and node.name == "Config"), None)
    if found is None or found.bases:
        return None
    fields = [node for node in found.body if isinstance(node, ast.AnnAssign)]
    try:
        return {ast.unparse(node.target): _text(node.value, body) for node in fields}
    except LookupError:
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
