"""The digest of a model follows every definition that it uses, at any remove, and nothing else."""

import functools
import importlib
import shutil
from pathlib import Path

import pytest

import cvr_bench
from cvr_bench.models import MODELS
from cvr_bench.models.parts.source import model_source_digest, used_model_source

MODULES = {
    "__init__.py": "",
    "mine.py": "import json\nfrom {name}.layers import wide\n\n\ndef load():\n    from {name} import lazy\n\n"
    "    return wide, lazy\n",
    "layers.py": "from {name}.deep.base import BASE\n\nwide = BASE\nnarrow = 2\n",
    "lazy.py": "LAZY = 1\n",
    "other.py": "OTHER = 1\n",
    "deep/__init__.py": "",
    "deep/base.py": "BASE: int = 1\nUNUSED = 2\n",
}  # fmt: skip


@pytest.fixture
def package(tmp_path, monkeypatch):
    name = f"models_of_{tmp_path.name.replace('-', '_')}"
    for file, text in MODULES.items():
        path = tmp_path / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(name=name))
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / name


@pytest.mark.parametrize(
    ("file", "before", "after", "is_another"),
    [
        ("mine.py", "return wide", "return 1, wide", True),
        ("layers.py", "wide = BASE", "wide = BASE + 1", True),
        ("layers.py", "narrow = 2", "narrow = 3", False),
        ("deep/base.py", "= 1", "= 7", True),
        ("deep/base.py", "UNUSED = 2", "UNUSED = 3", False),
        ("lazy.py", "= 1", "= 2", True),
        ("other.py", "= 1", "= 2", False),
        ("deep/base.py", "BASE: int = 1", '"""Why."""\n\n# where\nBASE: int = (\n    1  # one\n)\n"""What."""', False),
        ("mine.py", "import json\n", "import math\nimport json\n", False),
    ],
)  # fmt: skip
def test_a_private_model_is_another_when_what_it_uses_changes(package, file, before, after, is_another):
    component = importlib.import_module(f"{package.name}.mine")
    digest = model_source_digest(component, None)
    assert model_source_digest(component, None) == digest
    path = package / file
    assert path.read_text().count(before) == 1
    path.write_text(path.read_text().replace(before, after))
    assert (model_source_digest(component, None) != digest) == is_another


def test_a_private_model_that_is_one_file_has_a_digest(tmp_path, monkeypatch):
    (tmp_path / "alone_of_mine.py").write_text("ANSWER = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    component = importlib.import_module("alone_of_mine")
    digest = model_source_digest(component, None)
    (tmp_path / "alone_of_mine.py").write_text("ANSWER = 20\n")
    assert model_source_digest(component, None) != digest


CHANGES = [
    ("models/parts/losses.py", "def hn_nce", {"covr_blip", "covr_blip2", "bse_covr", "ecde"}),
    ("models/parts/losses.py", "def triplet_margin", {"fdca"}),
    ("models/networks/drl/losses.py", "def ", {"drl", "clip4clip"}),
    ("models/tirg.py", "def load", {"tirg"}),
    ("models/sum.py", "def load", {"sum", "rerank"}),
    ("models/text_only.py", "def load", {"text_only", "rerank"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("file", "definition", "models"), CHANGES)
def test_a_change_makes_another_model_of_those_that_use_it_and_of_no_other(
    file, definition, models, tmp_path, monkeypatch
):
    """In a copy of the code: each function that begins so returns something else."""
    before = digests_before()
    copy = tmp_path / "cvr_bench"
    shutil.copytree(Path(cvr_bench.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(cvr_bench, "__file__", str(copy / "__init__.py"))
    path = copy / file
    path.write_text("# a comment\n" + path.read_text())
    assert digests() == before
    lines = path.read_text().splitlines(keepends=True)
    ends = [number for number, line in enumerate(lines) if line.startswith("    return ")]
    starts = [number for number, line in enumerate(lines) if line.startswith(definition)]
    assert starts
    for start in starts:
        end = min(number for number in ends if number > start)
        lines[end] = lines[end].replace("return ", "return None or ", 1)
    path.write_text("".join(lines))
    after = digests()
    assert {name for name in before if after[name] != before[name]} == models


@functools.cache
def digests_before() -> dict[str, str]:
    return digests()


def digests() -> dict[str, str]:
    """The digest of each built-in model; those of the family are read where the package says that it lies."""
    found = {}
    for name in MODELS.names():
        component = MODELS.get(name)
        found[name.replace("-", "_")] = model_source_digest(component, component.TINY)
    return found


def test_a_model_is_made_of_its_parts_and_of_no_other_model():
    used = used_model_source([MODELS.get("fdca")])
    networks = {name for name in used if name.startswith("cvr_bench.models.networks.")}
    assert {"cvr_bench.models.networks.fdca.faithful", "cvr_bench.models.networks.fdca.clustering"} <= networks
    assert {name.split(".")[3] for name in networks} == {"fdca"}
    assert {"cvr_bench.models.parts.retriever", "cvr_data.features.protocol"} <= set(used)
    assert "cvr_bench.models.combiner" not in used


def test_every_model_has_a_digest_of_its_own():
    assert len(set(digests_before().values())) == len(MODELS.names())
