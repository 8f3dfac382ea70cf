"""The layout holds: imports go one way, files stay small, and no component imports another of its family."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FAMILIES = (
    "corpora", "encoders", "feature_layouts", "mining", "filters", "backends", "formats", "datasets", "models"
)  # fmt: skip
SOURCES = sorted([ROOT / "cli.py", *(ROOT / "cvr_data").rglob("*.py"), *(ROOT / "cvr_bench").rglob("*.py")])
COMPONENTS = [path for path in SOURCES if path.parent.name in FAMILIES and not path.name.startswith("_")]
MOST_LINES = 400


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported_modules(path: Path) -> set[str]:
    modules = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            modules |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return modules


def where(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_imports_go_one_way():
    upward = {}
    for path in SOURCES:
        above = ("cli", "cvr_bench") if path.is_relative_to(ROOT / "cvr_data") else ("cli",)
        upward[where(path)] = sorted(name for name in imported_modules(path) if name.split(".")[0] in above)
    assert not {path: names for path, names in upward.items() if names}


def test_a_component_does_not_import_another_of_its_family():
    sideways = {}
    for path in COMPONENTS:
        package = ".".join(path.relative_to(ROOT).parts[:2])
        siblings = {found.stem for found in path.parent.glob("*.py") if not found.name.startswith("_")} - {path.stem}
        sideways[where(path)] = sorted(imported_modules(path) & {f"{package}.{name}" for name in siblings})
    assert not {path: names for path, names in sideways.items() if names}


def test_a_file_has_at_most_400_lines():
    lines = {where(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert not {path: count for path, count in lines.items() if count > MOST_LINES}


def test_results_are_printed_by_commands_only():
    calls = {where(path): [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)] for path in SOURCES}
    printing = {
        path: [call.lineno for call in found if isinstance(call.func, ast.Name) and call.func.id == "print"]
        for path, found in calls.items()
    }
    assert not {path: lines for path, lines in printing.items() if lines}
