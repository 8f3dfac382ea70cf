"""Manifests and results that name code: refused in one line, by every command that reads them."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from cvr_data.core.artifacts import artifact_key, identity_of, verify
from tests.cvr_bench.conftest import World


@dataclass(frozen=True)
class Attack:
    """A world whose features' manifest names a shell command that would make a file."""

    world: World
    marker: Path

    def encoder(self, name: str, options: dict) -> None:
        """Say in the manifest of the features that this encoder made them, with the key that belongs to it."""
        path = self.world.embeddings / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest["config"] |= {"encoder": name, "options": options}
        manifest["key"] = artifact_key(identity_of(manifest))
        path.write_text(json.dumps(manifest))
        assert verify(self.world.embeddings) == []


@pytest.fixture
def attack(world, tmp_path) -> Attack:
    shutil.copytree(world.folder, tmp_path / "world")
    made = Attack(World(tmp_path / "world"), tmp_path / "ran")
    made.encoder("mteb", {"model": "os:system", "argument": f"touch {made.marker}"})
    return made


def test_the_encoder_of_a_manifest_runs_nothing_in_bench(attack, one_line_error, cvr, tmp_path):
    world, out = attack.world, tmp_path / "out"
    words = ["bench", "-m", "sum", "--data", world.triplets, "-e", world.embeddings, "-O", out]
    assert "model 'os:system' is no part of cvr and was named by a file, not by you" in one_line_error(*words)
    assert "'os:system' is no part of cvr" in one_line_error("--trust", f"touch {attack.marker}", *words)
    assert "the argument of os:system, 'touch " in one_line_error("--trust", "os:system", *words)
    assert not attack.marker.exists()


@pytest.mark.parametrize("name", ["os.path", "antigravity.x", "tests.ball_pairs"])
def test_no_dotted_encoder_of_a_manifest_is_imported(attack, one_line_error, tmp_path, name):
    attack.encoder(name, {})
    world = attack.world
    line = one_line_error("bench", "-m", "sum", "--data", world.triplets, "-e", world.embeddings, "-O", tmp_path / "o")
    assert f"encoders {name!r} is no part of cvr" in line


def test_frame_scores_and_build_triplets_run_nothing(attack, one_line_error, tmp_path):
    world = attack.world
    line = one_line_error("frame-scores", world.triplets, "--embeddings", world.embeddings, "-O", tmp_path / "out")
    assert "is no part of cvr" in line
    assert not attack.marker.exists()


def test_a_benchmarks_folder_under_cvr_data_runs_nothing(attack, cvr, monkeypatch, tmp_path):
    shutil.move(attack.world.folder, tmp_path / "data" / "egocvr")
    monkeypatch.setenv("CVR_DATA", str(tmp_path / "data"))
    cvr("bench", "-m", "random", "--data", "egocvr")
    assert not attack.marker.exists()


@pytest.fixture
def result(world, cvr, tmp_path) -> Path:
    cvr.done("bench", "-m", "visual-only", "--data", world.triplets, "-e", world.embeddings, "-O", tmp_path / "result")
    (found,) = (tmp_path / "result").rglob("result.json")
    return found.parent


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        ("mteb", {"model": "os:system", "argument": "touch ran", "videos": "videos"}, "model 'os:system'"),
        ("os.path", {}, "models 'os.path' is no part of cvr"),
        ("rerank", {"first": "os.path"}, "models 'os.path' is no part of cvr"),
        ("judge", {"backend": "os.path"}, "backends 'os.path' is no part of cvr"),
        ("judge", {"backend": "openai", "backend_options": ["model=m;base_url=http://evil.example/v1"]}, "base_url"),
        ("judge", {"backend": "openai", "backend_options": ["model=m;key_variable=AWS_SECRET"]}, "key_variable"),
        ("judge", {"backend": "echo", "cache": "/tmp/elsewhere.sqlite"}, "option cache"),
    ],
)
def test_the_model_of_a_result_is_not_chosen_by_its_file(result, one_line_error, monkeypatch, model, options, said):
    monkeypatch.chdir(result.parent)
    record = json.loads((result / "result.json").read_text())
    (result / "result.json").write_text(json.dumps({**record, "model": model, "options": options}))
    manifest = json.loads((result / "manifest.json").read_text())
    manifest["files"].pop("result.json", None)
    (result / "manifest.json").write_text(json.dumps(manifest))
    line = one_line_error("audit", result)
    assert said in line and "named by a file" in line
    assert not Path("ran").exists()
