"""The rooms hold: imports go down, in no circle, and by public names; files stay small, and components apart."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLOORS = {
    "cvr_data": (
        ("core", "tables"),
        ("language", "download"),
        ("media", "filters"),
        ("features",),
        ("formats",),
        ("videos",),
        ("pairs", "modifications"),
        ("triplets",),
        ("pages", "publish"),
        ("review",),
        ("commands",),
    ),
    "cvr_bench": (
        ("tasks", "recipes"),
        ("models", "families"),
        ("benchmarks", "checkpoints", "scoring"),
        ("data", "training", "results"),
        ("audit",),
        ("bench", "report", "search", "submit"),
        ("commands",),
    ),
}
"""Lowest first. A room imports rooms of lower floors of its own package; the bench imports all of the builder."""
FAMILIES = (
    "videos/corpora",
    "features/encoders",
    "features/layouts",
    "pairs/strategies",
    "filters",
    "modifications/backends",
    "formats",
    "benchmarks",
    "models",
)
NAMING = {"cli.py", "cvr_bench/families.py"}
"""Files that may name packages in strings."""
PACKAGE_NAME = re.compile(r"\bcvr_(data|bench)(\.|$)")
SOURCES = sorted(path for package in FLOORS for path in (ROOT / package).rglob("*.py"))
COMPONENTS = [
    path
    for path in SOURCES
    if "/".join(path.relative_to(ROOT).parts[1:-1]) in FAMILIES and not path.name.startswith("_")
]


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in SOURCES}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> set[str]:
    """Return the modules of the packages, and of the command line, that a file imports."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: an import that begins with a dot"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (names & MODULES.keys()) | ({str(node.module)} if names - MODULES.keys() else set())
    return found & {*MODULES, "cli"} - {module_of(path)}


FRONT_DOORS = ("cvr_data", "cvr_bench")
"""The packages themselves: what a notebook calls, so they import every room, as commands do."""


@cache
def imports() -> dict[str, set[str]]:
    """Return what each module imports: for the one process that runs these tests, not for each that collects them."""
    return {module: imported(path) for module, path in MODULES.items() if module not in FRONT_DOORS}


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def rooms_of(imports: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """Return room -> the rooms it imports, itself and the packages as a whole left out."""
    rooms = defaultdict(set)
    for module, targets in imports.items():
        rooms[room_of(module)] |= {room_of(target) for target in targets if "." in target} - {room_of(module)}
    return rooms


def circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def climbs(rooms: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the imports between rooms that do not go down."""
    floors = {f"{top}.{room}": floor for top in FLOORS for floor, names in enumerate(FLOORS[top]) for room in names}
    wrong = []
    for room, targets in rooms.items():
        package = room.split(".")[0]
        for target in targets:
            is_down = target.split(".")[0] == package and floors[target] < floors[room]
            if not is_down and (package, target.split(".")[0]) != ("cvr_bench", "cvr_data"):
                wrong.append(f"{room} -> {target}")
    return sorted(wrong)


def test_rooms_import_lower_floors_only():
    assert {room for room in map(room_of, MODULES) if "." in room} == {
        f"{top}.{room}" for top in FLOORS for names in FLOORS[top] for room in names
    }
    assert not climbs(rooms_of(imports()))
    assert not [module for module, targets in imports().items() if "cli" in targets]
    assert climbs({"cvr_data.core": {"cvr_data.media"}, "cvr_data.pages": {"cvr_data.publish", "cvr_bench.tasks"}}) == [
        "cvr_data.core -> cvr_data.media",
        "cvr_data.pages -> cvr_bench.tasks",
        "cvr_data.pages -> cvr_data.publish",
    ]


def test_no_files_and_no_rooms_import_each_other_in_a_circle():
    assert not circle(imports())
    assert not circle(rooms_of(imports()))
    assert circle(rooms_of({"cvr_data.a.one": {"cvr_data.b.two"}, "cvr_data.b.three": {"cvr_data.a.four"}}))


def test_what_another_folder_imports_has_a_public_name():
    folders = {module: path.parent for module, path in MODULES.items()}
    private = [target for target in MODULES if target.rsplit(".", 1)[-1].startswith("_")]
    assert not [
        f"{module} -> {target}"
        for module, targets in imports().items()
        for target in targets.intersection(private)
        if folders[module] != folders[target]
    ]


def named_packages(tree: ast.Module) -> list[str]:
    """Return the strings of a file that name a package, docstrings left out."""
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    strings = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in said]
    return [node.value for node in strings if isinstance(node.value, str) and PACKAGE_NAME.search(node.value)]


def test_no_string_names_a_package():
    named = {str(path.relative_to(ROOT)): named_packages(tree_of(path)) for path in SOURCES}
    assert {name: strings for name, strings in named.items() if strings and name not in NAMING} == {}
    assert named_packages(ast.parse("module = import_module('cvr_bench.models')")) == ["cvr_bench.models"]


def test_a_component_imports_no_other_of_its_family():
    folders = defaultdict(set)
    for path in COMPONENTS:
        folders[path.parent].add(module_of(path))
    found = {module_of(path): imports()[module_of(path)] & folders[path.parent] for path in COMPONENTS}
    assert {module: siblings for module, siblings in found.items() if siblings} == {}
    assert len(folders) == len(FAMILIES)


OWN_READER = re.compile(
    r"json\.loads?\([^)]*\.read_|(np|torch)\.load\(|\bload_file\(|sqlite3\.connect\(|yaml\.(safe_)?load\(|"
    r"pq\.(read_table|ParquetFile)\(|h5py\.File\("
)
"""What reads a file without saying in one line what is wrong with it."""
READERS = {
    "formats/mteb_vt2v.py", "features/layouts/h5.py", "features/layouts/npz.py", "pairs/why_not.py",  # with reading()
    "review/store.py", "publish/scan.py", "download/fetch.py",  # told there
    "language/lexicon.py", "features/encoders/efficientnet_lite0.py",  # of what comes with cvr, by its sha256
}  # fmt: skip


def test_files_are_read_through_the_readers_of_core():
    found = {str(path.relative_to(ROOT)).partition("/")[2] for path in SOURCES if OWN_READER.search(path.read_text())}
    assert {name for name in found if not name.startswith("core/")} <= READERS, "use cvr_data.core.reading"
    assert OWN_READER.search("content = json.loads(path.read_text())") and not OWN_READER.search("read_json(path)")


def test_a_file_has_at_most_400_lines():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def long_bodies(tree: ast.Module) -> list[str]:
    """Return the functions whose body, its docstring left out, has more than 40 lines."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    bodies = [(node.name, node.body[1:] if ast.get_docstring(node) else node.body) for node in functions]
    return [name for name, body in bodies if body and (body[-1].end_lineno or 0) - body[0].lineno >= 40]


def test_a_function_body_has_at_most_40_lines():
    found = {str(path.relative_to(ROOT)): long_bodies(tree_of(path)) for path in [*SOURCES, ROOT / "cli.py"]}
    assert {name: functions for name, functions in found.items() if functions} == {}
    body = "\n".join("    x = 1" for _ in range(40))
    assert long_bodies(ast.parse(f"def short():\n    'Say.'\n{body}")) == []
    assert long_bodies(ast.parse(f"def long():\n{body}\n    x = 2")) == ["long"]


def test_results_are_printed_by_commands_only():
    calls = [(path, node) for path in [*SOURCES, ROOT / "cli.py"] for node in ast.walk(tree_of(path))]
    assert not [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, node in calls
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


def test_examples_at_the_head_of_a_file_call_what_there_is():
    texts = {path: path.read_text(encoding="utf-8") for path in SOURCES}
    code = "\n".join(re.sub(r'"""[\s\S]*?"""', "", text) for text in texts.values())
    known = {
        *re.findall(r"\w+", code),
        "one_each",
        "drop_silent",
        "drop_repeated",
    }  # the last three are the reader's own
    heads = {path: ast.get_docstring(tree_of(path)) or "" for path in texts}
    called = {path: re.findall(r"(?<![\w.`/])([a-z]+_\w+)\(", head) for path, head in heads.items()}
    assert sum(map(len, called.values())) > 100
    assert {str(path): lost for path, names in called.items() if (lost := {*names} - known)} == {}
