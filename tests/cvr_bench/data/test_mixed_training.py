"""Several --train-data: an epoch has the triplets of each as often as its weight says."""

from collections import Counter

import pytest

from cvr_bench.data.training import find_data_mixture
from cvr_bench.results.result import read_result
from cvr_data.core.errors import CvrError
from cvr_data.features.store import FeatureStore

HEADER = "pth1,pth2,edit\n"


@pytest.fixture
def files(tmp_path):
    """Two files of triplets between the videos of the tiny world, without val splits, of six and three references."""
    for name, first, count in (("many", 0, 6), ("few", 10, 3)):
        rows = [f"train{number:02d},train{number + 1:02d},make it {name}" for number in range(first, first + count)]
        (tmp_path / f"{name}_train.csv").write_text(HEADER + "\n".join(rows) + "\n")
    return tmp_path


def mixed(files, *data):
    return find_data_mixture([str(files / name) for name in data], lambda name: files)


def test_one_without_a_weight_is_that_one(files):
    assert mixed(files, "many_train.csv").name == "many_train"


def test_rows_have_the_weight_of_their_data_and_each_holds_some_out(files, world):
    source = mixed(files, "many_train.csv", "few_train.csv=2.5")
    assert source.name == "many_train+few_train"
    assert [part["weight"] for part in source.identity()["parts"]] == [1.0, 2.5]
    assert Counter(source.table.column("split").to_pylist()) == {"train": 5, "val": 2, "left-out": 2}
    data = source.load(FeatureStore.open(world.embeddings, "raw"))
    weights = dict(zip(data.training_set.modifications, data.training_set.weights, strict=True))
    assert weights == {"make it many": 1.0, "make it few": 2.5}
    assert {query.modification for query in data.validation_task.queries} == {"make it many", "make it few"}


def test_a_model_is_trained_on_a_mixture(cvr, files, world, tmp_path):
    cvr.done(
        "bench", "-m", "combiner", "-o", "projection=4", "-o", "hidden=4", "-t", "epochs=1", "-t", "batch_size=4",
        "-d", world.triplets, "--train-data", files / "many_train.csv", "--train-data", f"{files / 'few_train.csv'}=2",
        "--no-audit", "--out", tmp_path / "results",
    )  # fmt: skip
    record = read_result(tmp_path / "results/combiner-tiny").record
    assert record["training"]["triplets"] == 5  # of nine: two are held out, two share a video with those
    assert record["train_data"]["name"] == "many_train+few_train"


@pytest.mark.parametrize("weight", ["0", "-1"])
def test_a_weight_is_above_zero(files, weight):
    with pytest.raises(CvrError, match=f"the weight should be above 0, got {weight}"):
        mixed(files, f"many_train.csv={weight}")
