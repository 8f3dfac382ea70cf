"""The digest of a model follows what it imports of its room, at any remove, and nothing else."""

import importlib

import pytest

from cvr_bench.models import MODELS
from cvr_bench.models.parts import source
from cvr_bench.models.parts.source import FOLDER, ROOM, imported_files, source_digest

FILES = {
    "__init__.py": "",
    "mine.py": "import json\nfrom {name}.layers import wide\n\n\ndef load():\n    from {name} import lazy\n",
    "layers.py": "from {name}.deep.base import BASE\n\nwide = BASE\n",
    "lazy.py": "",
    "other.py": "",
    "deep/__init__.py": "",
    "deep/base.py": "BASE = 1\n",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    name = f"models_of_{tmp_path.name.replace('-', '_')}"
    for file, text in FILES.items():
        path = tmp_path / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(name=name))
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / name


@pytest.mark.parametrize(
    ("changed", "is_another"),
    [("mine.py", True), ("layers.py", True), ("deep/base.py", True), ("lazy.py", True), ("other.py", False)],
)
def test_a_private_model_is_another_when_what_it_imports_changes(package, changed, is_another):
    component = importlib.import_module(f"{package.name}.mine")
    before = source_digest(component)
    assert source_digest(component) == before
    path = package / changed
    path.write_text(path.read_text() + "# changed\n")
    assert (source_digest(component) != before) == is_another


def test_a_built_in_model_is_made_of_its_parts_and_of_no_other_model():
    found, waiting = set(), [FOLDER / "fdca.py"]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += imported_files(file, {ROOM: FOLDER})
    names = {path.relative_to(FOLDER).as_posix() for path in found}
    assert {"fdca.py", "networks/fdca/faithful.py", "networks/fdca/clustering.py", "parts/retriever.py"} <= names
    assert not {name for name in names if name.startswith(("networks/drl", "networks/covr")) or name == "combiner.py"}


def test_two_models_have_two_digests():
    assert len({source.source_digest(MODELS.get(name)) for name in ("fdca", "combiner", "random")}) == 3
