"""The digest of a model's source: of its own file and of what it imports from its room."""

import ast
import hashlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from cvr_bench.models import ModelModule

ROOM, FOLDER = __name__.rsplit(".", 2)[0], Path(__file__).resolve().parents[1]


def source_digest(component: ModelModule) -> str:
    """Return the hash of a model's file and of all it imports, at any remove, from the room of models or from beside
    it.

    Another model, or a network it does not use, may change without this one being scored again.
    """
    own = Path(str(sys.modules[component.__name__].__file__)).resolve()
    folders = {ROOM: FOLDER, component.__name__.rpartition(".")[0]: own.parent}
    found: set[Path] = set()
    waiting = [own]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += imported_files(file, folders)
    files = [own, *sorted(found - {own})]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def imported_files(file: Path, folders: Mapping[str, Path]) -> Iterator[Path]:
    """Yield the files that a file imports and that lie in the folder of one of the packages."""
    for name in _imported_names(ast.parse(file.read_bytes())):
        for package, folder in folders.items():
            if package and name.startswith(f"{package}."):
                path = folder.joinpath(*name.removeprefix(f"{package}.").split(".")).with_suffix(".py")
                if path.is_file():
                    yield path


def _imported_names(tree: ast.Module) -> Iterator[str]:
    """Yield what may be a module: `from a.b import c` names a.b, and a.b.c."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
