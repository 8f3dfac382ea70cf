"""The layout holds: imports go one way, files stay small, and no component imports another of its family."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FAMILIES = (
    "corpora", "encoders", "feature_layouts", "mining", "filters", "backends", "formats", "datasets", "models"
)  # fmt: skip
SOURCES = sorted([ROOT / "cli.py", *(ROOT / "cvr_data").rglob("*.py"), *(ROOT / "cvr_bench").rglob("*.py")])
COMPONENTS = [path for path in SOURCES if path.parent.name in FAMILIES and not path.name.startswith("_")]


def imported_modules(path: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            modules |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return modules


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path):
    modules = imported_modules(path)
    top = path.relative_to(ROOT).parts[0]
    assert "cli" not in modules
    if top == "cvr_data":
        assert not {name for name in modules if name.split(".")[0] == "cvr_bench"}


@pytest.mark.parametrize("path", COMPONENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_component_does_not_import_another_of_its_family(path):
    package = ".".join(path.relative_to(ROOT).parts[:2])
    siblings = {found.stem for found in path.parent.glob("*.py") if not found.name.startswith("_")} - {path.stem}
    assert not imported_modules(path) & {f"{package}.{name}" for name in siblings}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_at_most_400_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_results_are_printed_by_commands_only(path):
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    printing = [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
    assert not printing
