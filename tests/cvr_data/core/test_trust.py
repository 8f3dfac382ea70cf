"""trust: code outside cvr runs only where the user wrote its name."""

import ast
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import cli
from cvr_data.core.command_line import command
from cvr_data.core.errors import CvrError
from cvr_data.core.jobs import Engine, mapped_in_order, use_engine
from cvr_data.core.registry import Family, parse_config
from cvr_data.core.trust import OUTSIDE, import_named, naming, stored, words_of_trusted_code
from cvr_data.features.encoders.networks.named_model import load_named_encoder

ROOT = Path(cli.__file__).parent
IMPORTERS = {
    "cli.py": "the files of the two commands/ folders",
    "cvr_bench/families.py": "the packages of the families, constants of that file",
    "cvr_data/core/config_source.py": "what a component's own source imports",
    "cvr_data/core/registry.py": "components of cvr, by the files of their folder",
    "cvr_data/core/trust.py": "the gate",
}


@pytest.mark.parametrize(
    "words",
    [
        ["my.module"], ["-m", "my.module"], ["-mmy.module"], ["-o", "first=my.module"], ["-ofirst=my.module"],
        ["--trust=my.module"], ["-o", "second_options=a=1,b=my.module"], ["--filter", "my.module:limit=3"],
        ["-o", "backend_options=x=y;b=my.module"],
    ],
)  # fmt: skip
def test_a_word_a_value_and_a_part_of_a_list_are_named(words):
    with naming(words):
        assert "my.module" in words_of_trusted_code()
    assert "my.module" not in words_of_trusted_code()


def test_what_no_word_is_may_not_be_imported():
    with (
        naming(["my.module", "os"]),
        pytest.raises(CvrError, match=r"model 'os:system' is no part of cvr .* cvr --trust os:system"),
    ):
        import_named("os:system", "model")


def test_words_of_a_recipes_step_are_named_beside_those_of_the_command_around():
    with command(["--trust", "a.b", "run", "mine.yaml"]), command(["bench", "-m", "c.d"]):
        assert {"a.b", "c.d"} <= words_of_trusted_code()


def test_a_dotted_component_is_imported_for_the_user_alone():
    strategies = Family("cvr_data.pairs.strategies")
    with pytest.raises(CvrError, match=r"strategies 'cvr_data\.triplets\.join' is no part of cvr"):
        strategies.get("cvr_data.triplets.join")
    with naming(["cvr_data.triplets.join"]):
        assert strategies.get("cvr_data.triplets.join").__name__ == "cvr_data.triplets.join"


@pytest.mark.parametrize("name", ["../encoders/hash", "__init__", "a/b", "", "networks", 7, None, ["hash"]])
def test_no_other_name_leads_out_of_the_folder(name):
    with pytest.raises(CvrError, match=r"Unknown name|is no part of cvr"):
        Family("cvr_data.features.encoders").get(name)


def test_a_model_of_another_package_needs_its_argument_named_too(tmp_path):
    made = tmp_path / "made"
    with naming(["os:mkdir"]), pytest.raises(CvrError, match="the argument of os:mkdir"):
        load_named_encoder("os:mkdir", str(made))
    assert not made.exists()
    with naming(["os:mkdir", str(made)]), pytest.raises(CvrError, match="has neither encode nor"):
        load_named_encoder("os:mkdir", str(made))
    assert made.exists()


@dataclass(frozen=True, kw_only=True)
class Config:
    server: str = field(default="http://127.0.0.1", metadata={OUTSIDE: True})
    """Where it listens."""


def test_a_server_in_a_file_is_named_again():
    evil = {"server": "http://evil.example"}
    assert parse_config(Config, evil, where="me").server == evil["server"]
    with stored():
        assert parse_config(Config, {"server": "http://127.0.0.1"}, where="me") == Config()
        with pytest.raises(CvrError, match=r"me: option server 'http://evil\.example' is no part of cvr"):
            parse_config(Config, evil, where="me")
        with naming([evil["server"]]):
            assert parse_config(Config, evil, where="me").server == evil["server"]


def _words_there() -> bool:
    return "my.module" in words_of_trusted_code()


@pytest.mark.slow
def test_worker_processes_know_what_the_user_named():
    with naming(["my.module"]), use_engine(Engine("local", 2)):
        assert list(mapped_in_order(_words_there, [(), ()])) == [True, True]


def _imports_by_name(path: Path) -> bool:
    names = {"import_module", "__import__", "spec_from_file_location", "exec_module", "run_module", "run_path", "exec"}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return any(getattr(func, "attr", getattr(func, "id", "")) in names for func in called)


def sources() -> list[Path]:
    return [ROOT / "cli.py", *(ROOT / "cvr_data").rglob("*.py"), *(ROOT / "cvr_bench").rglob("*.py")]


def test_nothing_else_imports_by_name():
    assert {path.relative_to(ROOT).as_posix() for path in sources() if _imports_by_name(path)} == set(IMPORTERS)


@pytest.mark.slow
def test_every_from_pretrained_refuses_the_code_of_a_model():
    found = 0
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            owner = ast.unparse(node.func)
            if name == "SentenceTransformer" or (name == "from_pretrained" and "Auto" in owner + ast.unparse(node)):
                said = {word.arg: ast.unparse(word.value) for word in node.keywords}
                assert said.get("trust_remote_code") == "False", f"{path}: {owner}"
                found += 1
    assert found >= 8


def test_a_component_in_the_current_folder_is_found_and_stands_in_for_no_library(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "few.py").write_text('"""Mine."""\nimport json\n')
    (tmp_path / "json.py").write_text("raise SystemExit('not the library')\n")
    code = (
        "import sys; sys.path[:] = [p for p in sys.path if p]\n"
        "from cvr_data.core.trust import import_named, naming\n"
        "with naming(['-f', '+mine.few:most=3']):\n    print(import_named('mine.few', 'filter').__doc__)\n"
        "import os; print(os.getcwd() in sys.path)\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == ["Mine.", "False"], done.stderr
