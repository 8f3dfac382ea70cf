"""The contract of each family: a module has what the Protocols of its `__init__.py` say, and nobody asks for more.

What the modules then do is tried family by family, on an example of each: `test_*_contract.py` and its like.
"""

import ast
import inspect
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from cvr_bench.families import PACKAGES
from cvr_data.core.registry import Family

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted([*(ROOT / "cvr_data").rglob("*.py"), *(ROOT / "cvr_bench").rglob("*.py")])


def contracts_of(kind: str) -> tuple[Family, list[type]]:
    """The family with its contract, and what its modules may have beside."""
    package = import_module(PACKAGES[kind])
    (family,) = [value for value in vars(package).values() if isinstance(value, Family)]
    own = [value for value in vars(package).values() if inspect.isclass(value) and value.__module__ == package.__name__]
    assert family.contract in own
    return family, [value for value in own if value is not family.contract]


def differences(module: ModuleType, contract: type) -> list[str]:
    """Functions of a module that cannot be called as its contract says."""
    said = {name: value for name, value in vars(contract).items() if inspect.isfunction(value) and name[0] != "_"}
    wrong = []
    for name, function in said.items():
        asked = list(inspect.signature(function).parameters.values())[1:]
        given = inspect.signature(getattr(module, name))
        try:
            given.bind(*asked)
        except TypeError as error:
            wrong.append(f"{module.__name__}.{name}: {error}")
        if [parameter.name for parameter in asked] != list(given.parameters)[: len(asked)]:
            wrong.append(f"{module.__name__}.{name}{given} should take {[parameter.name for parameter in asked]}")
    return wrong


@pytest.mark.parametrize("kind", PACKAGES)
def test_every_module_can_be_called_as_its_family_says(kind):
    family, abilities = contracts_of(kind)
    wrong = []
    for module in map(family.get, family.names()):
        contracts = [family.contract, *(ability for ability in abilities if isinstance(module, ability))]
        wrong += [line for contract in contracts for line in differences(module, contract)]
    assert wrong == []


@pytest.mark.parametrize("kind", PACKAGES)
def test_no_ability_is_declared_that_nobody_has(kind):
    family, abilities = contracts_of(kind)
    modules = [family.get(name) for name in family.names()]
    able = [*modules, *(module.Config for module in modules)]
    assert [ability.__name__ for ability in abilities if not any(isinstance(one, ability) for one in able)] == []


def asked_in_strings(tree: ast.AST) -> set[str]:
    """The names that `hasattr` and `getattr` are given as literals."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    asked = [call.args[1] for call in calls if call.func.id in ("hasattr", "getattr") and len(call.args) > 1]
    return {node.value for node in asked if isinstance(node, ast.Constant)}


def test_no_module_is_asked_by_a_string_for_what_it_has():
    names = set()
    for kind in PACKAGES:
        family, _ = contracts_of(kind)
        for module in map(family.get, family.names()):
            names |= {name for name, value in vars(module).items() if inspect.isfunction(value) or name.isupper()}
    found = {str(path.relative_to(ROOT)): asked_in_strings(ast.parse(path.read_text())) & names for path in SOURCES}
    assert {path: asked for path, asked in found.items() if asked} == {}
    assert asked_in_strings(ast.parse("hasattr(component, 'load_blind')")) == {"load_blind"}


def test_a_function_that_takes_something_else_is_found():
    family, _ = contracts_of("filters")
    module = ModuleType("wrong")
    module.run = lambda rows: rows
    assert len(differences(module, family.contract)) == 2
