"""The digest of a model's source: of its own file, and of every definition that it uses, at any remove.

`from cvr_bench.models.parts.losses import info_nce` brings in `info_nce` and what that uses, not the losses beside it:
a model is another one when its own loss changes, and stays what it is when another model's does. Comments, docstrings
and the order of imports decide no score and are not in the digest.
"""

import ast
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cvr_bench
import cvr_data
from cvr_bench.models import MadeOfParts, ModelModule

Imported = tuple[str, str | None]
"""A module and a name in it; None is all of it."""


@dataclass(frozen=True)
class _Source:
    """What a file says, docstrings apart."""

    statements: list[str]
    """The hash of each."""
    used: list[set[str]]
    """The names in each."""
    names: dict[str, list[int]]
    """Name -> which statements define it."""
    loose: list[int]
    """Which statements define no name, such as a `with` or an `if`."""
    imports: dict[str, Imported]
    """Name -> what it was imported from, at the top or inside a function."""


def model_source_digest(component: ModelModule, config: Any) -> str:
    """Return the hash of a model's file and of all it uses of cvr, of its own package, and of what its options name."""
    parts = component.parts(config) if isinstance(component, MadeOfParts) else ()
    return hashlib.sha256(json.dumps(used_model_source([component, *parts]), sort_keys=True).encode()).hexdigest()


def used_model_source(components: Sequence[Any]) -> dict[str, list[str]]:
    """Return module -> the hashes of its statements that components are made of."""
    folders = _folders(components)
    waiting: list[Imported] = [(component.__name__, None) for component in components]
    seen: set[Imported] = set()
    statements: dict[str, dict[int, str]] = {}
    while waiting:
        wanted = waiting.pop()
        if wanted in seen or (path := _path_of(wanted[0], folders)) is None:
            continue
        seen.add(wanted)
        module, name = wanted
        source = _read(path, path.stat().st_mtime_ns)
        if name is not None and name not in source.names:
            whole = f"{module}.{name}"  # a module of a package, or a name that another module brings in
            waiting.append(source.imports.get(name, (whole, None)))
        found = range(len(source.statements)) if name is None else [*source.names.get(name, ()), *source.loose]
        new = set(found) - statements.setdefault(module, {}).keys()
        for used in {used for place in new for used in source.used[place]}:
            if used in source.names:
                waiting.append((module, used))
            elif used in source.imports:
                waiting.append(source.imports[used])
        statements[module] |= {place: source.statements[place] for place in new}
    return {module: [found[place] for place in sorted(found)] for module, found in statements.items() if found}


def _folders(components: Sequence[Any]) -> dict[str, Path]:
    """Package -> its folder: the two of cvr, and those that components of one's own lie in."""
    folders = {package.__name__: Path(str(package.__file__)).resolve().parent for package in (cvr_bench, cvr_data)}
    for component in components:
        file = Path(str(sys.modules[component.__name__].__file__)).resolve()
        folders.setdefault(component.__name__.rpartition(".")[0] or component.__name__, file.parent)
    return folders


def _path_of(module: str, folders: dict[str, Path]) -> Path | None:
    for package, folder in folders.items():
        if module == package or module.startswith(f"{package}."):
            inside = folder.joinpath(*module.split(".")[len(package.split(".")) :])
            alone = folder / f"{module}.py"  # a file of one's own that lies in no package
            for path in (inside.with_suffix(".py"), inside / "__init__.py", alone):
                if path.is_file():
                    return path
    return None


@lru_cache(maxsize=256)
def _read(path: Path, changed_ns: int) -> _Source:
    tree = ast.parse(path.read_bytes())
    body = _said(tree.body)
    names: dict[str, list[int]] = {}
    loose = []
    for place, node in enumerate(body):
        defined = list(_defined(node))
        for name in defined:
            names.setdefault(name, []).append(place)
        if not defined:
            loose.append(place)
    statements = [hashlib.sha256(json.dumps(_plain(node)).encode()).hexdigest() for node in body]
    used = [{part.id for part in ast.walk(node) if isinstance(part, ast.Name)} for node in body]
    return _Source(statements, used, names, loose, dict(_imports(tree)))


def _defined(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name))


def _imports(tree: ast.Module) -> Iterator[tuple[str, Imported]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.split(".")[0], (alias.name, None)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((alias.asname or alias.name, (node.module, alias.name)) for alias in node.names)


def _plain(value: Any) -> Any:
    """A part of a syntax tree without places, texts that stand alone, and fields that only some Pythons have."""
    if isinstance(value, ast.AST):
        fields = {name: _plain(part) for name, part in ast.iter_fields(value)}
        return [type(value).__name__, {name: part for name, part in fields.items() if part not in (None, [])}]
    if isinstance(value, list):
        return [_plain(part) for part in _said(value)]
    return value if value is None or isinstance(value, str) else repr(value)


def _said(nodes: list[Any]) -> list[Any]:
    """The nodes without imports, and without texts that stand alone, which say what a function or a field means."""
    return [node for node in nodes if not isinstance(node, ast.Import | ast.ImportFrom) and not _is_text(node)]


def _is_text(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
