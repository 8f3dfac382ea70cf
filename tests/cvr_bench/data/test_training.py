"""--train-data: a benchmark that only tests is trained for on other triplets, some of which choose the checkpoint."""

import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from cvr_bench.data.sources import sample_data_folder
from cvr_bench.data.training import find_training_data
from cvr_bench.results.result import read_result
from cvr_bench.tasks.composed import task_triplets_held_out
from cvr_data.core.artifacts import verify
from cvr_data.core.errors import CvrError
from cvr_data.tables import VIDEOS
from tests.dataset_folders import write_artifact
from tests.triplet_tables import triplet, triplets


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    """Samples of CIRCO and CC-CoIR with features of both in one folder."""
    from cvr_data.features.embed import embed
    from cvr_data.features.encoders import ENCODERS

    images = [f"{shard}/{letter}0{number}" for shard, letter in ((1, "aa"), (2, "bb"), (3, "cc")) for number in (1, 2)]
    rows = [{"video_id": name, "captions": ["x"]} for name in [*images, *map(str, range(101, 109))]]
    rows += [{"video_id": f"{folder}/{number}", "captions": ["x"]} for folder, number in (("001", 101), ("001", 102))]
    table = pa.Table.from_pylist([{**row, "source": "sample"} for row in rows])
    write_artifact(tmp_path / "videos", "import-sample", table, VIDEOS)
    embed(tmp_path / "videos", "hash", ENCODERS.get("hash").Config(dim=16, frames=2), tmp_path / "embeddings")
    for name in ("circo", "cc-coir"):
        shutil.copytree(sample_data_folder() / "samples" / name, tmp_path / "data" / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CVR_DATA", str(tmp_path / "data"))
    return tmp_path


def root(name: str) -> Path:
    return sample_data_folder() / "samples" / name


def test_held_out_references_go_with_all_their_triplets_whatever_the_order():
    rows = [(f"r{number // 2}", f"make it {number}", f"t{number}") for number in range(10)]
    table = triplets(*rows, triplet("x", "y", "z", split="test"))
    split = task_triplets_held_out(table, 0.4)
    held = {row["reference_id"] for row in split.to_pylist() if row["split"] == "val"}
    assert len(held) == 2
    wanted = ["val" if reference in held else "train" for reference, _, _ in rows]
    assert split.column("split").to_pylist() == [*wanted, "test"]
    turned = task_triplets_held_out(table.take(list(range(10, -1, -1))), 0.4)
    assert turned.column("split").to_pylist() == split.column("split").to_pylist()[::-1]


def test_no_video_is_on_both_sides_of_what_is_held_out():
    ring = [(f"v{number}", "next", f"v{(number + 1) % 30}") for number in range(30)]
    twins = [triplet(f"twin{number}", "so", f"w{number}", reference_group_id="g") for number in range(3)]
    found = task_triplets_held_out(triplets(*ring, *twins), 0.2).to_pylist()
    ends = ("reference", "target")
    sides = {
        split: {row[f"{end}_group_id"] or row[f"{end}_id"] for row in found if row["split"] == split for end in ends}
        for split in ("train", "val")
    }
    assert len(sides["val"]) > 3 and len(sides["train"]) > 10
    assert not sides["train"] & sides["val"]
    counts = Counter(row["split"] for row in found)
    assert sum(counts.values()) == 33
    assert 0 < counts["left-out"] < 15


def test_cc_coir_trains_a_model_that_circo_scores(cvr, in_folder):
    cvr.done(
        "bench", "--model", "combiner", "-o", "projection=4", "-o", "hidden=4", "-t", "epochs=1", "--train-data",
        "cc-coir", "--data", "circo", "-D", "counts=any", "-e", "embeddings",
    )  # fmt: skip
    result = read_result(Path("results/combiner-circo"))
    assert verify(result.path) == []
    # one of six references is held out, and a triplet that has its target as the reference
    assert result.record["training"]["triplets"] == 4
    assert result.record["train_data"] == {"name": "cc-coir", "held_out": 0.01}
    assert result.record["task"]["name"] == "circo-val"


def test_a_file_of_triplets_is_trained_on(cvr, in_folder):
    words = ["--train-data", root("cc-coir") / "cc-coir_train.csv", "--data", "circo", "-D", "counts=any"]
    model = ["--model", "combiner", "-o", "projection=4", "-o", "hidden=4", "-t", "epochs=1"]
    cvr.done("bench", *model, *words, "-e", "embeddings", "--out", "results")
    (result,) = Path("results").iterdir()
    record = read_result(result).record
    assert record["training"]["triplets"] == 4  # as by the name of the data set that the file is of


def test_webvid_covr_is_trained_on_with_its_own_val_split(tmp_path):
    header, row = "pth1,pth2,edit\n", "{}/1,{}/2,make it {}\n"
    (tmp_path / "webvid2m-covr_train.csv").write_text(header + row.format(1, 1, "red"))
    (tmp_path / "webvid8m-covr_val.csv").write_text(header + row.format(2, 2, "blue"))
    source = find_training_data("webvid-covr", lambda name: tmp_path)
    assert [path.name for path in source.files] == ["webvid2m-covr_train.csv", "webvid8m-covr_val.csv"]
    table = source.table
    assert table.select(["reference_id", "split"]).to_pylist() == [
        {"reference_id": "1/1", "split": "train"},
        {"reference_id": "2/1", "split": "val"},
    ]


def test_a_benchmark_that_only_tests_cannot_be_trained_on():
    names = "activitynet, cc-coir, didemo, lsmdc, msrvtt, msvd, vatex, webvid-covr"
    with pytest.raises(CvrError, match=f"circo has nothing to train on here; --train-data takes {names}"):
        find_training_data("circo", root)


def test_a_single_reference_cannot_be_held_out(tmp_path):
    (tmp_path / "x_train.csv").write_text("pth1,pth2,edit\na,b,make it red\n")
    source = find_training_data(str(tmp_path / "x_train.csv"), root)
    with pytest.raises(CvrError, match="x_train has no val split, on which the checkpoint is chosen"):
        source.triplets()
