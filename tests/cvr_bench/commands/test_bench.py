"""cvr bench, cvr compare: one table, result folders, and one line for every mistake."""

import json
from pathlib import Path

import pytest

from cvr_bench.results.result import read_result
from cvr_data.core.artifacts import verify
from tests.dataset_folders import write_artifact

pytestmark = pytest.mark.slow

PLAIN = ("random", "constant", "visual-only", "text-only", "sum")


def models(*names):
    return [word for name in names for word in ("--model", name)]


def test_several_models_stand_in_one_table(cvr, in_world, tmp_path):
    outcome = cvr.done("bench", *models(*PLAIN))
    lines = outcome.out.splitlines()
    assert lines[0] == "Scoring test of annotations/tiny (the triplets built last), features from embeddings"
    assert "tiny (test): 18 queries, gallery of 12 videos, references left out, ties count against the model" in lines
    table = {line.split()[0]: line.split() for line in outcome.out.split("\n\n")[1].splitlines()}
    assert {*PLAIN, "(chance)"} <= set(table)
    assert table["constant"][-1] == "18"  # every query ties
    assert "R@1 by backend  echo (9)" in outcome.out
    for name in PLAIN:
        assert verify(tmp_path / "world" / "results" / f"{name}-tiny") == []


def test_a_constant_model_ranks_last_and_scores_nothing(cvr, in_world, tmp_path):
    cvr.done("bench", "--model", "constant")
    result = read_result(tmp_path / "world/results/constant-tiny")
    ranks = result.ranks.to_pylist()
    assert {row["rank"] for row in ranks if len(row["target_ids"]) == 1} == {11}
    assert {row["rank"] for row in ranks if len(row["target_ids"]) == 2} == {10}
    assert result.record["metrics"]["R@1"]["value"] == 0.0


def test_a_second_run_reads_the_first(cvr, in_world, tmp_path):
    first = cvr("bench", "--model", "sum")
    manifest = (tmp_path / "world/results/sum-tiny/manifest.json").read_bytes()
    assert cvr("bench", "--model", "sum").out == first.out
    assert (tmp_path / "world/results/sum-tiny/manifest.json").read_bytes() == manifest


def test_other_options_want_another_folder(cvr, one_line_error, in_world):
    cvr.done("bench", "--model", "sum")
    line = one_line_error("bench", "--model", "sum", "-o", "text_weight=0.9")
    assert "results/sum-tiny holds another artifact (options" in line
    cvr.done("bench", "--model", "sum", "-o", "text_weight=0.9", "--out", "other")
    cvr.done("bench", "--model", "sum", "-o", "text_weight=0.9", "--overwrite")


def test_json_holds_every_result(cvr, in_world):
    found = json.loads(cvr("bench", *models("random", "sum"), "--json").out)
    assert [entry["model"] for entry in found] == ["random", "sum"]
    assert set(found[0]["metrics"]) == {"R@1", "R@5", "R@10", "R@50", "mean"}
    assert found[1]["path"] == "results/sum-tiny"


def test_two_results_are_compared(cvr, in_world):
    cvr("bench", *models("sum", "constant"))
    outcome = cvr.done("compare", "results/sum-tiny", "results/constant-tiny", "--by", "backend")
    assert "18 queries" in outcome.out
    assert "rules" in outcome.out
    values = json.loads(cvr("compare", "results/sum-tiny", "results/constant-tiny", "--json").out)
    assert len(values["difference"]["R@10"]["interval"]) == 2


def test_a_trained_model_is_chosen_on_val_and_scored_again_from_its_checkpoint(cvr, in_world, tmp_path):
    small = ["-o", "width=8", "-o", "heads=2"]
    cvr.done("bench", "--model", "fdca", *small, "-t", "epochs=2", "-t", "batch_size=16")
    trained = read_result(tmp_path / "world/results/fdca-tiny")
    training = trained.record["training"]
    assert training["triplets"] == 43
    assert training["epochs"] == 2
    assert training["best"] == max(row["mean"] for row in training["history"])
    assert verify(trained.path) == []
    cvr.done("bench", "--model", "fdca", *small, "--checkpoint", "results/fdca-tiny", "--out", "again")
    scored = read_result(tmp_path / "world/again/fdca-tiny")
    assert scored.record["training"] is None
    assert scored.ranks.equals(trained.ranks)
    cvr.done("bench", "--model", "fdca", *small, "--checkpoint", "results/fdca-tiny/training", "--out", "third")


def test_the_seed_reaches_the_weights_and_the_training(cvr, in_world, tmp_path):
    cvr("bench", "--model", "fdca", "-o", "width=8", "-o", "heads=2", "-t", "epochs=1", "--seed", "3")
    record = read_result(tmp_path / "world/results/fdca-tiny").record
    assert (record["seed"], record["options"]["seed"], record["train"]["seed"]) == (3, 3, 3)


def test_training_options_of_a_model_that_does_not_train_are_remarked(cvr, in_world):
    assert "sum does not train; -t has no effect on it." in cvr.done("bench", "--model", "sum", "-t", "epochs=2").err


def test_training_options_are_not_remarked_where_one_of_the_models_trains(cvr, in_world):
    outcome = cvr.done("bench", "--model", "sum", "--model", "combiner", "-t", "epochs=1", "--no-audit")
    assert "does not train" not in outcome.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "fdcaa"], "Unknown name 'fdcaa' in models. Did you mean: fdca"),
        (["--model", "sum", "-o", "weight=1"], "sum: unknown option 'weight'. Did you mean: text_weight"),
        (
            ["--model", "sum", "--model", "random", "-o", "text_weight=1"],
            "-o, --name and --checkpoint belong to one model",
        ),
        (["--model", "sum", "--split", "dev"], "split: 'dev' is not allowed"),
        (["--model", "sum", "--data", "nowhere"], "nowhere"),
        (["--model", "sum", "--data", "embeddings"], "triplets are made by cvr build-triplets"),
        (["--model", "sum", "--embeddings", "videos"], "'embed'"),
        (["--model", "sum", "--checkpoint", "x"], "sum has no parameters"),
        (["--model", "fdca", "--checkpoint", "x"], "There is no checkpoint at x"),
        (["--model", "fdca", "--checkpoint", "x", "-t", "epochs=1"], "-t has no meaning beside it"),
        (["--model", "fdca", "-t", "epoch=1"], "train: unknown option 'epoch'. Did you mean: epochs"),
    ],
)
def test_a_mistake_is_one_line(one_line_error, in_world, words, message):
    assert message in one_line_error("bench", *words)


def test_without_features_the_way_to_them_is_named(one_line_error, in_world, tmp_path):
    (tmp_path / "some_test.csv").write_text("pth1,pth2,edit\na,b,make it red\n")
    assert "pass --embeddings" in one_line_error("bench", "--model", "sum", "--data", tmp_path / "some_test.csv")


@pytest.fixture
def in_samples(tmp_path, monkeypatch):
    """A current folder with features of the videos of some samples."""
    from cvr_bench.data.sources import sample_data_folder
    from cvr_data.features.embed import embed
    from cvr_data.features.encoders import ENCODERS
    from cvr_data.tables import VIDEOS

    names = [str(number) for number in range(101, 108)] + ["001/101", "001/102", "001/103", "002/104"]
    rows = [{"video_id": name, "captions": ["x"], "source": "sample"} for name in names]
    write_artifact(tmp_path / "videos", "import-sample", rows, VIDEOS)
    embed(tmp_path / "videos", "hash", ENCODERS.get("hash").Config(dim=16, frames=2), tmp_path / "embeddings")
    monkeypatch.chdir(tmp_path)
    return sample_data_folder() / "samples"


def test_a_benchmark_is_scored_by_name_within_the_features(cvr, in_samples):
    data = ["--data", "circo", "-D", f"annotations={in_samples / 'circo'}", "-D", "counts=any", "-e", "embeddings"]
    outcome = cvr.done("bench", *models("constant", "sum"), *data)
    assert "circo-val (val): 2 queries, gallery of 7 videos, references left out" in outcome.out
    assert "left out: 1 gallery videos without features" in outcome.out
    assert "mAP@5" in outcome.out
    result = read_result(Path("results/constant-circo"))
    assert verify(result.path) == []
    assert result.record["benchmark"]["gallery"] == "coco"
    ranks = {row["query_id"]: row["target_ranks"] for row in result.ranks.to_pylist()}
    assert ranks == {"0": [5, 6], "1": [6]}
    # by hand: AP@5 is (1/5) / 2 and 0; AP@10 is (1/5 + 2/6) / 2 and 1/6
    assert result.record["metrics"]["mAP@5"]["value"] == pytest.approx(100 * (0.1 + 0) / 2)
    assert result.record["metrics"]["mAP@10"]["value"] == pytest.approx(100 * ((1 / 5 + 2 / 6) / 2 + 1 / 6) / 2)
    compared = cvr("compare", "results/sum-circo", "results/constant-circo")
    assert "mAP@10" in compared.out, compared.err


def test_options_of_a_benchmark_name_its_results(cvr, in_samples):
    data = ["--data", "webvid-covr", "-D", f"annotations={in_samples / 'webvid-covr'}", "-D", "counts=any"]
    outcome = cvr.done("bench", "-m", "random", *data, "-D", "gallery=named", "-e", "embeddings", "--json")
    (found,) = json.loads(outcome.out)
    assert found["path"] == "results/random-webvid-covr-named"
    assert found["task"]["left_out"]["queries about videos without features"] == 2
    assert read_result(Path(found["path"])).protocol.gallery == "named"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "circo", "-D", "annotations=x"], "annotations/val.json is not in x; get it from"),
        (["--data", "circo", "-D", "annotation=x"], "circo: unknown option 'annotation'. Did you mean: annotations"),
        (["--data", "circo"], "/circo; get it from"),
        (["--data", "lsmdc", "--split", "train", "-D", "annotations=x"], "split: 'train' is not allowed"),
        (["--data", "egocvr", "--split", "test", "-D", "annotations=x"], "egocvr has one split"),
        (["-D", "gallery=named"], "Triplets take -D reference=keep alone; gallery belongs to a benchmark"),
        (["-D", "reference=keeep"], "reference: 'keeep' should be exclude or keep"),
        (["--seed", "2147483647", "--seeds", "2"], "goes beyond the last seed, 2147483647"),
        (["--data", "cirrr"], "cirrr is no path here and no benchmark. Did you mean: cirr"),
    ],
)
def test_a_mistake_about_a_benchmark_is_one_line(one_line_error, in_samples, words, message):
    assert message in one_line_error("bench", "--model", "random", *words)


def test_a_benchmark_wants_features_and_does_not_train(one_line_error, in_samples):
    data = ["--data", "circo", "-D", f"annotations={in_samples / 'circo'}", "-D", "counts=any"]
    line = one_line_error("bench", "--model", "random", *data)
    assert "circo comes without features of its videos; pass --embeddings" in line
    line = one_line_error("bench", "--model", "fdca", *data, "-e", "embeddings")
    assert "fdca has to be trained, and circo only tests; pass --checkpoint" in line
