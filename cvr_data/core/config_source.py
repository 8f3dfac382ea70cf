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
NO_FIELDS = ("KW_ONLY", "InitVar")
"""Annotations of what is no option, and changes those that follow."""


def defaults_of(source: str) -> dict[str, str] | None:
    """Return field -> default as text of the class `Config`; None where only the component itself knows them."""
    found: dict[str, str] = {}
    try:
        for config, body in _with_bases("Config", ast.parse(source).body):
            for node in config.body:
                if not isinstance(node, ast.AnnAssign) or "ClassVar" in ast.unparse(node.annotation):
                    continue
                if any(name in ast.unparse(node.annotation) for name in NO_FIELDS):
                    return None
                if (field := ast.unparse(node.target)) not in found:
                    found[field] = _default_in_source(node.value, body)
    except Exception:  # an expression of any kind may fail in any way; the component itself says how
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


def _default_in_source(default: ast.expr | None, body: list[ast.stmt]) -> str:
    if default is None:
        return REQUIRED
    values = {node.id: _value_of_source_name(node.id, body) for node in ast.walk(default) if isinstance(node, ast.Name)}
    value = eval(compile(ast.Expression(default), "<default>", "eval"), values)
    return default_text(value) if isinstance(value, dataclasses.Field) else repr(value)


def _value_of_source_name(name: str, body: list[ast.stmt]) -> Any:
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
        return _source_constant(node.value)
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


def _source_constant(value: ast.expr) -> Any:
    try:
        return ast.literal_eval(value)
    except ValueError:
        raise LookupError(ast.unparse(value)) from None
