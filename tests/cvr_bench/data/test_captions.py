"""Captions of a text-video benchmark to train on: which ones, for whom, and what the result says of leaks."""

import dataclasses
import json
import shutil

import pytest

from cvr_bench.bench.bench import bench
from cvr_bench.bench.bench_run import BenchRun
from cvr_bench.benchmarks import BENCHMARKS, msrvtt
from cvr_bench.data.captions import data_of_captions
from cvr_bench.data.sources import Sources, sample_data_folder
from cvr_bench.data.training import find_training_data
from cvr_bench.results.result import read_result
from cvr_data.core.errors import CvrError
from tests.feature_folders import embed_ids

TRAIN, TEST = [f"video{number}" for number in range(16)], [f"video{number}" for number in range(20, 24)]
OTHERS = ["--data", "msrvtt", "-D", "counts=any", "-t", "epochs=1", "-t", "batch_size=8", "--no-audit"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small MSR-VTT, `files`, whose last training video is scored by split val, and features of its videos, `emb`."""
    path = tmp_path_factory.mktemp("captions")
    (path / "files").mkdir()
    videos = [{"video_id": name, "split": "validate" if name == TRAIN[-1] else "train"} for name in TRAIN]
    sentences = [
        {"video_id": name, "caption": f"{kind} of {name}"} for name in TRAIN for kind in ("walk", "run", "run")
    ]
    (path / "files" / "MSRVTT_data.json").write_text(json.dumps({"videos": videos, "sentences": sentences}))
    (path / "files" / "MSRVTT_train.9k.csv").write_text("\n".join(["video_id", *TRAIN]))
    rows = [f"ret{number},{name},{name},a {name}" for number, name in enumerate(TEST)]
    (path / "files" / "MSRVTT_JSFUSION_test.csv").write_text("\n".join(["key,vid_key,video_id,sentence", *rows]))
    embed_ids(path, [*TRAIN[1:], *TEST], dim=8)
    return path


def arguments(folder, *more):
    files = ["-D", f"annotations={folder / 'files'}", "-e", str(folder / "emb"), "--out", str(folder / "results")]
    return ["bench", *OTHERS, *files, *more]


def test_a_repeated_caption_is_one_row_and_a_video_is_its_own_reference():
    rows = data_of_captions({"v1": ["a", "a", "b"]}).to_pylist()
    assert [(row["reference_id"], row["modification"], row["target_id"]) for row in rows] == [
        ("v1", "a", "v1"),
        ("v1", "b", "v1"),
    ]


def test_videos_that_are_scored_are_not_learned_from(folder):
    config = msrvtt.Config(annotations=folder / "files", counts="any")
    assert list(msrvtt.load_captions(config)) == TRAIN
    of_val = msrvtt.Config(annotations=folder / "files", counts="any", split="val")
    assert list(msrvtt.load_captions(of_val)) == TRAIN[:-1]
    with pytest.raises(CvrError, match="split 9k holds all training videos"):
        msrvtt.load_captions(msrvtt.Config(annotations=folder / "files", counts="any", split="9k"))


def test_a_benchmark_trains_on_its_own_captions_within_the_features(cvr, folder):
    cvr.done(*arguments(folder, "--model", "drl", "-o", "positions=8"))
    record = read_result(folder / "results" / "drl-msrvtt").record
    assert record["train_data"]["captions"] is True
    assert record["training"]["triplets"] == 2 * 14  # 16 videos; one has no features, one is held out
    assert record["training"]["leaks"]["videos"]["leaked"] == 0
    assert set(record["metrics"]) >= {"R@1", "R@5", "R@10"}


def test_a_model_that_needs_references_does_not_learn_from_captions(cvr, folder):
    outcome = cvr(*arguments(folder, "--model", "combiner"))
    assert (outcome.code, "combiner has to be trained, and msrvtt only tests" in outcome.err) == (2, True)
    captions = find_training_data("msrvtt", lambda name: folder / "files")
    sources = Sources(data=folder, embeddings=folder / "emb", videos=(), choice="", training=captions)
    with pytest.raises(CvrError, match="combiner learns from triplets, and msrvtt has captions"):
        bench(BenchRun(model="combiner"), sources, folder / "refused")


@pytest.mark.parametrize(
    ("name", "renamed"),
    [
        ("msvd", {"test_list.txt": "train_list.txt"}),
        ("vatex", {"vatex_validation_v1.0.json": "vatex_training_v1.0.json"}),
        ("lsmdc", {"LSMDC16_challenge_1000_publictect.csv": "LSMDC16_annos_training.csv"}),
        ("activitynet", {"val_1.json": "train.json"}),
        ("didemo", {"test_data.json": "train_data.json", "test_list.txt": "train_list.txt"}),
    ],
)
def test_every_text_video_benchmark_has_training_captions(name, renamed, tmp_path):
    """The training files are laid out as those of the test: the samples stand in for them."""
    shutil.copytree(sample_data_folder() / "samples" / name, tmp_path / name)
    for test_file, training_file in renamed.items():
        shutil.copy(tmp_path / name / test_file, tmp_path / name / training_file)
    component = BENCHMARKS.get(name)
    config = BENCHMARKS.config(name, {"annotations": str(tmp_path / name), "counts": "any"})
    scored = component.load(config)
    captions = component.load_captions(config)
    texts = {text for of_video in captions.values() for text in of_video}
    assert {item.item_id for item in scored.gallery} <= set(captions)
    assert {query.modification for query in scored.queries} <= texts
    whole = dataclasses.replace(config, counts="published")
    with pytest.raises(CvrError, match="as published; counts=any takes what is there"):
        component.load_captions(whole)
    assert all(path.name in renamed.values() or name == "msvd" for path in component.training_files(config))
