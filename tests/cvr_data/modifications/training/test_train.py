"""Training of a generator: what it learns, remembers and refuses, with a language model of a few thousand weights."""

import json
from itertools import pairwise

import pyarrow as pa
import pytest
import torch

import cli
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.core.errors import CvrError
from cvr_data.modifications.generator import Config as GeneratorConfig
from cvr_data.modifications.generator import Generator
from cvr_data.modifications.prompts import load_prompt
from cvr_data.modifications.training.examples import hold_out_generator_examples, read_examples
from cvr_data.modifications.training.loop import Learner, Sample, Schedule, generator_batches
from cvr_data.modifications.training.train import Config, request_of, train_generator
from cvr_data.tables import PAIRS
from tests.tiny_language_models import save_language_model

COLOURS = ("red", "blue", "green", "white")
LINES = [
    {"input": f"a {before} ball", "edit": f"make it {after}", "output": f"a {after} ball"}
    for before in COLOURS
    for after in COLOURS
    if before != after
]
QUICK = {"held_out": 0.5, "epochs": 2, "batch_size": 4, "dtype": "float32", "device": "cpu"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return save_language_model(tmp_path_factory.mktemp("tiny-llm"))


@pytest.fixture
def examples(tmp_path):
    return write_lines(tmp_path / "examples.jsonl", LINES)


def write_lines(path, lines):
    path.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    return path


def pairs_of(lines):
    rows = [
        {
            "pair_id": str(number), "reference_id": f"r{number}", "target_id": f"t{number}", "split": "train",
            "reference_caption": line["input"], "target_caption": line["output"], "strategy": "given", "changes": [],
        }
        for number, line in enumerate(lines)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=PAIRS)


def texts_of(folder, lines, **options):
    chosen = {"model": folder, "device": "cpu", "dtype": "float32", **options}
    config = GeneratorConfig(prompt="trained", options=tuple(f"{name}={value}" for name, value in chosen.items()))
    return Generator(config).texts_for(pairs_of(lines)).column("raw").to_pylist()


def schedule(**values):
    usual = {"epochs": 1, "batch_size": 4, "learning_rate": 1e-2, "warmup": 0.1, "weight_decay": 0.0, "seed": 0}
    return Schedule(**{**usual, **values})


def test_what_was_learned_is_written_by_the_backend(tiny, tmp_path):
    path = write_lines(tmp_path / "two.jsonl", LINES[:2])
    options = {**QUICK, "epochs": 60, "learning_rate": 2e-2, "held_out": 0.0}
    for form in ("completion", "chat"):
        artifact = train_generator([path], tmp_path / form, Config(model=str(tiny), form=form, **options))
        assert artifact.manifest["history"][-1]["loss"] < 0.1
        written = texts_of(artifact.path, LINES[:2], form=form)
        assert [text.strip() for text in written] == ["make it blue", "make it green"]


def test_the_folder_remembers_its_examples_and_is_the_same_again(tiny, examples, tmp_path):
    config = Config(model=str(tiny), **QUICK)
    folders = [train_generator([examples], tmp_path / name, config).path for name in ("one", "two")]
    assert (folders[0] / "model.safetensors").read_bytes() == (folders[1] / "model.safetensors").read_bytes()
    artifact = open_artifact(folders[0])
    rows = artifact.read().to_pylist()
    assert len(rows) == 12 and {row["used_for"] for row in rows} == {"training", "choice"}
    assert {row["reference_id"] for row in rows} == {f"caption:a {colour} ball" for colour in COLOURS}
    assert artifact.manifest["trained_on"]["sources"] == {"examples.jsonl": 12}
    assert verify(folders[0]) == []
    assert train_generator([examples], folders[0], config).manifest["finished"] == artifact.manifest["finished"]
    with pytest.raises(CvrError, match="holds another artifact"):
        train_generator([examples], folders[0], Config(model=str(tiny), **{**QUICK, "epochs": 3}))


def test_the_manifest_says_in_which_type_it_was_trained(tiny, examples, tmp_path, monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    options = {**QUICK, "epochs": 1, "dtype": "auto"}
    manifest = train_generator([examples], tmp_path / "out", Config(model=str(tiny), **options)).manifest
    assert (manifest["config"]["dtype"], manifest["runs_on"]) == ("float32", "cpu float32")
    with pytest.raises(CvrError, match="A CPU cannot train in float16"):
        train_generator([examples], tmp_path / "half", Config(model=str(tiny), **{**options, "dtype": "float16"}))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
@pytest.mark.parametrize("save", ["merged", "adapter"])
def test_lora_gives_plain_weights_or_an_adapter(tiny, examples, tmp_path, save):
    config = Config(model=str(tiny), method="lora", save=save, rank=2, learning_rate=1e-2, **QUICK)
    artifact = train_generator([examples], tmp_path / "out", config)
    assert (artifact.path / "adapter_config.json").exists() == (save == "adapter")
    assert texts_of(artifact.path, LINES[:2]) != texts_of(tiny, LINES[:2])


def test_the_best_epoch_is_put_back(tiny, examples, tmp_path):
    """A rate that blows the weights up makes the later epochs worse."""
    config = Config(model=str(tiny), **{**QUICK, "epochs": 4, "learning_rate": 0.3, "warmup": 0.0})
    manifest = train_generator([examples], tmp_path / "out", config).manifest
    held = [row["held_out_loss"] for row in manifest["history"]]
    assert manifest["best_epoch"] == 1 + held.index(min(held))


def test_the_loss_is_of_the_answers_tokens_alone(tiny):
    from accelerate import Accelerator
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    samples = [Sample([5, 6, 7, 8], [9, 10]), Sample([40], [41, 42, 43]), Sample([7, 7, 7], [8])]
    learner = Learner(model, Accelerator(cpu=True), schedule(batch_size=2))
    expected, count = 0.0, 0
    for sample in samples:
        tokens = [*sample.prompt, *sample.answer]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([tokens])).logits[0].log_softmax(dim=-1)
        for place in range(len(sample.prompt), len(tokens)):
            expected -= float(logits[place - 1, tokens[place]])
            count += 1
    assert learner.loss(samples) == pytest.approx(expected / count, rel=1e-4)


def test_batches_hold_every_sample_once_and_like_lengths_together():
    samples = [Sample([0] * (1 + number % 7), [number]) for number in range(30)]
    drawn = list(generator_batches(samples, 4, torch.Generator().manual_seed(0)))
    assert sorted(sample.answer[0] for batch in drawn for sample in batch) == list(range(30))
    spans = sorted((min(map(len, batch)), max(map(len, batch))) for batch in drawn)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))


def test_training_and_writing_see_the_same_text(examples):
    prompt = load_prompt("trained")
    found = read_examples(examples, ())
    generator = Generator(GeneratorConfig(prompt="trained", backend="rules"))
    asked = generator.requests(generator.start(pairs_of(LINES)), attempt=0)
    assert [request.messages for request in asked] == [request_of(one, prompt).messages for one in found]


def test_no_video_that_is_drawn_is_trained_on(examples):
    found = read_examples(examples, ())
    training, held_out = hold_out_generator_examples(found, 0.5, seed=1)
    assert len(training) + len(held_out) == len(found) and 0 < len(held_out) <= 6
    seen = {one.pair[name] for one in training for name in ("reference_id", "target_id")}
    drawn = {one.pair[name] for one in held_out for name in ("reference_id", "target_id")} - seen
    assert all({one.pair["reference_id"], one.pair["target_id"]} & drawn for one in held_out)
    assert hold_out_generator_examples(found[::-1], 0.5, seed=1)[0][::-1] == training


def test_published_columns_and_modifications_are_read_alike(tmp_path):
    path = tmp_path / "covr.csv"
    path.write_text("txt1,txt2,pth1,pth2,edit\na cat, a dog ,1/2,3/4,make it a dog\n", encoding="utf-8")
    (example,) = read_examples(path, ())
    assert (example.pair["reference_id"], example.pair["target_caption"]) == ("1/2", "a dog")
    with ArtifactWriter(tmp_path / "pairs", stage="mine-pairs", config={}) as writer:
        writer.write_part(0, pairs_of(LINES))
        writer.finish()
    assert (
        cli.run(["generate-modifications", str(tmp_path / "pairs"), "--llm", "rules", "-O", str(tmp_path / "m")]) == 0
    )
    accepted = [row for row in open_artifact(tmp_path / "m").read().to_pylist() if row["status"] == "ok"]
    assert [one.modification for one in read_examples(tmp_path / "m", ("train",))] == [
        row["modification"] for row in accepted
    ]
    with pytest.raises(CvrError, match="no row of split val"):
        read_examples(tmp_path / "m", ("val",))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([{"input": "a cat", "output": "a dog"}], "needs a column modification or edit"),
        ([*LINES[:1], {"input": "a cat", "edit": " ", "output": "a dog"}], "line 2, column 'edit': a text is needed"),
    ],
)
def test_examples_that_are_not_whole_are_refused(tmp_path, capsys, lines, said):
    path = write_lines(tmp_path / "bad.jsonl", lines)
    assert cli.run(["train-generator", str(path), "-O", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err


def test_texts_of_a_trained_generator_name_it(tiny, examples, tmp_path, capsys):
    out = tmp_path / "generator"
    options = ["-o", "epochs=1", "-o", "dtype=float32", "-o", "device=cpu", "-o", "batch_size=12"]
    assert cli.run(["train-generator", str(examples), "--model", str(tiny), "-O", str(out), *options]) == 0
    assert (
        "epoch 1" in (said := capsys.readouterr().out) and f"--style trained --llm transformers -o model={out}" in said
    )
    with ArtifactWriter(tmp_path / "pairs", stage="mine-pairs", config={}) as writer:
        writer.write_part(0, pairs_of(LINES[:2]))
        writer.finish()
    places = [str(tmp_path / "pairs"), "-O", str(tmp_path / "m"), "--cache", str(tmp_path / "c.sqlite")]
    backend = ["--style", "trained", "-o", f"model={out}", "-o", "device=cpu", "--attempts", "1"]
    assert cli.run(["generate-modifications", *places, *backend]) == 0
    assert open_artifact(tmp_path / "m").manifest["inputs"]["generator"]["key"] == open_artifact(out).key
