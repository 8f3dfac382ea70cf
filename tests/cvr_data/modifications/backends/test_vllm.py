"""vllm: what can be said without the engine; tests/engines has the real one."""

import dataclasses
import importlib.util
import json
from types import SimpleNamespace

import pytest

from cvr_data.modifications.asking.choices import NO_LOGPROBS
from cvr_data.modifications.backends.vllm import Config, _engine_arguments, _weighed, load, model_name
from tests.ball_pairs import write_ball_pairs

WITHOUT = pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vLLM is installed here")


@pytest.fixture
def adapter(tmp_path):
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"r": 12}), encoding="utf-8")
    return folder


@WITHOUT
def test_a_missing_vllm_tells_the_command_that_installs_it(one_line_error, tmp_path):
    pairs = write_ball_pairs(tmp_path / "pairs", 2)
    words = (
        "generate-modifications",
        pairs,
        "--llm",
        "vllm",
        "-O",
        tmp_path / "mods",
        "--cache",
        tmp_path / "c.sqlite",
    )
    assert "This needs vLLM: pip install 'cvr[vllm" in one_line_error(*words)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tensor_parallel": 0}, "tensor_parallel and pipeline_parallel must be at least 1"),
        ({"gpu_memory_utilization": 1.5}, "above 0 and at most 1"),
        ({"max_model_len": -1}, "must be at least 0"),
        ({"lora": "nowhere"}, "no folder with an adapter_config.json"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Config(**options)


def test_the_name_tells_the_weights_and_what_else_changes_the_answers(adapter, tmp_path):
    plain = Config(model=str(adapter), dtype="bfloat16")
    assert model_name(plain).startswith("adapter@")
    elsewhere = dataclasses.replace(plain, gpu_memory_utilization=0.5, tensor_parallel=2)
    assert model_name(elsewhere) == model_name(plain)
    named = model_name(Config(model="org/model", lora=str(adapter), form="chat", quantization="awq", dtype="float32"))
    assert named.startswith("org/model lora=adapter@") and named.endswith(" chat float32 awq")


def test_options_reach_the_engine_and_zeros_leave_its_own_choice(adapter):
    config = Config(model="org/model", lora=str(adapter), tensor_parallel=2, pipeline_parallel=3, max_model_len=512)
    given = _engine_arguments(config)
    expected = {"tensor_parallel_size": 2, "pipeline_parallel_size": 3, "max_model_len": 512, "enable_lora": True}
    assert expected.items() <= given.items()
    assert given["max_lora_rank"] == 16
    assert not {"quantization", "max_num_seqs", "enforce_eager"} & given.keys()
    assert _engine_arguments(Config(model="org/model", eager="off"))["enforce_eager"] is False
    assert load(config).gpus == 6


def test_several_local_workers_are_refused(one_line_error, tmp_path):
    pairs = write_ball_pairs(tmp_path / "pairs", 2)
    words = (
        "generate-modifications",
        pairs,
        "--llm",
        "vllm",
        "-o",
        "model=a",
        "-O",
        tmp_path / "mods",
        "--workers",
        "2",
    )
    assert "--workers starts several engines, which needs --engine ray." in one_line_error(*words)


def test_a_token_without_log_probabilities_is_no_answer_to_a_choice():
    def weighed(logprobs, reason="length"):
        written = SimpleNamespace(text="Yes", token_ids=[1], finish_reason=reason, logprobs=logprobs)
        return _weighed(SimpleNamespace(outputs=[written], prompt_token_ids=[5, 6]), {"yes": [1], "no": [2]})

    told = [{1: SimpleNamespace(logprob=-0.5), 2: SimpleNamespace(logprob=-1.0)}]
    assert json.loads(weighed(told).text) == {"yes": -0.5, "no": -1.0}
    for nothing in (None, []):
        answer = weighed(nothing)
        assert (answer.text, answer.error, answer.tokens_in, answer.is_cut) == (None, NO_LOGPROBS, 2, False)
    assert weighed(None, "abort").error == "vLLM ended it (abort)"
