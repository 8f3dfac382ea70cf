"""Commands that look something up answer at once: what they import, as a clock would measure the machine."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cvr_bench.families import PACKAGES, families, one_family
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.config_source import defaults_of, field_docs
from cvr_data.core.registry import _default_texts
from tests.report_world import make_world, write_results

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("pandas", "torch", "transformers", "datasets", "sentence_transformers", "accelerate", "spacy", "av", "scipy",
         "requests", "httpx2", "huggingface_hub", "ray", "vllm")  # fmt: skip
PANDAS = """
import sys, cli
import pyarrow as pa
assert cli.run(["trace", sys.argv[1]]) == 0 and "pandas" not in sys.modules
frame = pa.table({"a": [1, None]}).to_pandas()
assert pa.array(frame["a"]).null_count == 1 and pa.Table.from_pandas(frame).num_rows == 2
"""
SCRIPT = """
import json, sys, cli
code = cli.run(json.loads(sys.argv[1]))
print(json.dumps([code, sorted(set(sys.modules) & set(json.loads(sys.argv[2])))]))
"""
NAMES = [
    ["list"],
    ["list", "models"],
    ["list", "prompts", "--json"],
    ["show", "fdca"],
    ["show", "clip-end-to-end"],
    ["show", "minilm"],
    ["show", "vllm"],
    ["show", "static"],
    ["show", "quickstart"],
    ["--help"],
]


def run_and_look(words, modules):
    """Run a command in a process of its own; return its exit code and which of `modules` it imported."""
    given = [json.dumps([str(word) for word in words]), json.dumps(modules)]
    done = subprocess.run([sys.executable, "-c", SCRIPT, *given], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("words", NAMES, ids=" ".join)
def test_what_has_a_name_is_shown_without_a_library(words):
    assert run_and_look(words, [*HEAVY, "pyarrow", "numpy"]) == [0, []]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Pairs, triplets and two results, and what stands in them."""
    root = tmp_path_factory.mktemp("lookups")
    triplets = make_world(root, train=6, val=4, test=16)
    first, second, *_ = write_results(root, triplets)
    row = open_artifact(triplets).read().slice(0, 1).to_pylist()[0]
    query = pq.read_table(first / "ranks.parquet").column("query_id")[0].as_py()
    return {"root": root, "triplets": triplets, "first": first, "second": second, "row": row, "query": query}


@pytest.mark.slow
def test_what_lies_on_disk_is_shown_without_torch_or_pandas(world, tmp_path, monkeypatch):
    monkeypatch.setenv("CVR_DATA", str(tmp_path))
    triplets, first, second, row = (world[name] for name in ("triplets", "first", "second", "row"))
    commands = [
        ["data-status"],
        ["published", "cirr"],
        ["trace", triplets],
        ["verify", triplets, first],
        ["explain", row["triplet_id"], "--in", triplets],
        ["why-not", row["reference_id"], row["target_id"], "--in", world["root"] / "pairs"],
        ["diff", triplets, triplets],
        ["stats", triplets],
        ["compare", first, second],
        ["explain-query", world["query"], "--in", first],
        ["queries", first, "--worst", "2"],
        ["export-result", first, "--format", "mteb", "--out", tmp_path / "made.json"],
        ["two-way", first],
        ["sample", world["root"] / "modifications" / "short-rules"],
    ]
    expected = {words[0]: [0, []] for words in commands}
    expected |= {name: [0, ["scipy"]] for name in ("compare", "verify")}  # its functions of Student and of the beta
    assert {words[0]: run_and_look(words, HEAVY) for words in commands} == expected


def test_who_wants_pandas_after_a_look_up_has_it(world):
    subprocess.run([sys.executable, "-c", PANDAS, world["triplets"]], check=True, capture_output=True, cwd=ROOT)


@pytest.mark.parametrize("kind", PACKAGES)
def test_defaults_read_from_the_source_are_those_of_the_component(kind):
    family = families()[kind]
    found = {name: defaults_of(family._source(name)) for name in family.names()}
    assert found == {name: _default_texts(family.get(name).Config) for name in family.names()}


def test_defaults_that_only_the_component_knows_are_asked_of_it():
    assert defaults_of("N = len('abc')\nclass Config:\n    size: int = N\n") is None
    assert defaults_of("from elsewhere import Config\n") is None
    assert defaults_of("class Config(Base):\n    size: int = 1\n") is None
    assert defaults_of("from elsewhere import Base\nclass Config(Base):\n    size: int = 1\n") is None
    source = "N = 3\nclass Config:\n    size: int = N\n    path: Path = field()\n    name: str\n"
    assert defaults_of(source) == {"size": "3", "path": "(required)", "name": "(required)"}


@pytest.mark.parametrize(
    "source",
    [
        "from .other import N\nclass Config:\n    size: int = N\n",
        "from cvr_data.core.errors import NO_SUCH_NAME as N\nclass Config:\n    size: int = N\n",
        "from cvr_data.core.errors import N\nclass Config:\n    size: int = N\n",
        "N = 1\nN = 2\nclass Config:\n    size: int = N\n",
        "N = 1\nN += 2\nclass Config:\n    size: int = N\n",
        "N = 1\nif N:\n    N = 2\nclass Config:\n    size: int = N\n",
        "Path = str\nclass Config:\n    size: str = Path('a')\n",
        "class Config:\n    _: KW_ONLY\n    size: int = 1\n",
        "class Config:\n    size: int = 1 // 0\n",
    ],
)
def test_defaults_are_not_guessed(source):
    assert defaults_of(source) is None


def test_what_belongs_to_the_class_is_no_option():
    assert defaults_of("class Config:\n    many: ClassVar[int] = 4\n    size: int = 1\n") == {"size": "1"}


def test_a_name_of_the_file_goes_before_one_of_python():
    assert defaults_of("max = 7\nclass Config:\n    size: int = max\n    least: int = min(1, 2)\n") == {
        "size": "7", "least": "1",
    }  # fmt: skip


def test_a_component_is_described_with_what_its_options_mean():
    text = one_family("strategies").describe("one-word")
    assert text.startswith("Pair ")
    assert "\n  max_group = 50\n      " in text


def test_options_of_bases_are_read_from_the_files_they_stand_in(tmp_path, monkeypatch):
    (tmp_path / "base_of_a_test.py").write_text(
        "raise SystemExit('it is not run')\nN = 3\nclass Base:\n"
        '    size: int = N\n    """Of both."""\n    path: str = "a"\n    """Of the base."""\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    source = (
        "from base_of_a_test import Base\nclass Here(Base):\n    seed: int = 0\n    'Of numbers.'\n"
        "class Config(Here):\n    path: str = 'b'\n    name: str\n    'Its own.'\n"
    )
    assert list(defaults_of(source).items()) == [("path", "'b'"), ("name", "(required)"), ("seed", "0"), ("size", "3")]
    assert field_docs(source) == {
        "name": "Its own.", "seed": "Of numbers.", "size": "Of both.", "path": "Of the base.",
    }  # fmt: skip
