"""A text of another type of products is another text where a network of ours writes it, and nowhere else."""

import pytest
import torch

from cvr_data.core.artifacts import open_artifact
from cvr_data.modifications.backends import BACKENDS
from cvr_data.modifications.backends import transformers as transformers_backend
from cvr_data.modifications.backends import vllm as vllm_backend
from cvr_data.modifications.engines.products import backend_runs_on, backend_with_type
from cvr_data.modifications.engines.smollm2 import NAME
from cvr_data.modifications.generate import generate_modifications
from cvr_data.modifications.generator import Config
from tests.ball_pairs import write_ball_pairs
from tests.tiny_language_models import save_language_model


@pytest.fixture
def old_processor(monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def new_processor(monkeypatch):
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def write(tmp_path):
    """Writes three texts with a random model of a few thousand weights, all runs through one request cache."""
    model = save_language_model(tmp_path / "model")
    pairs = write_ball_pairs(tmp_path / "pairs", 3)

    def run(name, *options):
        config = Config(prompt="trained", attempts=1, options=(f"model={model}", *options))
        return generate_modifications(pairs, tmp_path / name, config, cache=tmp_path / "cache.sqlite")

    return run


@pytest.mark.parametrize("backend", [transformers_backend, vllm_backend])
def test_texts_of_bfloat16_have_the_name_they_always_had(new_processor, backend):
    assert backend.model_name(backend.Config()) == NAME
    assert backend.model_name(backend.Config(dtype="float32")) == f"{NAME} float32"


@pytest.mark.parametrize("backend", [transformers_backend, vllm_backend])
def test_without_hardware_for_bfloat16_auto_is_float32_by_name(old_processor, backend):
    assert backend.model_name(backend.Config()) == f"{NAME} float32"
    assert backend.model_name(backend.Config(dtype="bfloat16")) == NAME
    assert backend.load(backend.Config()).model == f"{NAME} float32"


@pytest.mark.parametrize(("name", "options"), [("rules", ()), ("echo", ()), ("openai", ("model=x",))])
def test_backends_without_a_network_of_ours_know_no_type(old_processor, name, options):
    config = BACKENDS.config(name, options)
    assert backend_with_type(config) is config and backend_runs_on(config) == {}


def test_the_manifest_and_the_rows_say_in_which_type_texts_were_written(old_processor, write):
    done = write("auto")
    assert done.manifest["runs_on"] == "cpu float32"
    assert done.manifest["config"]["options"]["dtype"] == "float32"
    assert all(model.endswith(" float32") for model in done.read().column("model").to_pylist())
    assert write("named", "dtype=float32").manifest["requests"]["asked"] == 0


def test_answers_of_another_type_are_asked_anew_and_the_older_ones_stay(old_processor, write):
    for name, asked in (("first", 3), ("again", 0)):
        done = write(name, "dtype=bfloat16")
        assert (done.manifest["requests"]["asked"], done.manifest["requests"]["cached"]) == (asked, 3 - asked)
        assert done.manifest["runs_on"] == "cpu bfloat16"
    assert write("other").manifest["requests"]["asked"] == 3


def test_an_artifact_of_bfloat16_is_the_same_where_auto_chooses_it(write, new_processor):
    named = write("texts", "dtype=bfloat16")
    assert write("texts").manifest["finished"] == named.manifest["finished"]
    assert open_artifact(named.path).manifest["config"]["options"]["dtype"] == "bfloat16"


def test_rules_write_no_type_into_the_manifest(tmp_path):
    pairs = write_ball_pairs(tmp_path / "pairs", 2)
    done = generate_modifications(pairs, tmp_path / "rules", Config(backend="rules"), cache=tmp_path / "c.sqlite")
    assert "runs_on" not in done.manifest
