"""The published sample is what its seed gives today; a change of a rule, a caption or a filter shows here.

After a change that is meant: rm -r annotations/synthetic && python annotations/make_sample.py annotations/synthetic
"""

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from annotations.make_sample import CORPUS, write_sample
from cvr_data.core.artifacts import open_artifact, verify

SAMPLE = Path(__file__).resolve().parents[1] / "annotations" / "synthetic"


@pytest.fixture(scope="module")
def again(tmp_path_factory):
    return write_sample(tmp_path_factory.mktemp("sample") / "synthetic")


@pytest.mark.engine
def test_the_same_triplets_are_made_again(again):
    published = open_artifact(SAMPLE)
    assert again.read().equals(published.read())
    for name in ("webvid_covr_train.csv", "webvid_covr_val.csv", "webvid_covr_test.csv", "statistics.json"):
        assert (again.path / name).read_bytes() == (SAMPLE / name).read_bytes(), name


@pytest.mark.engine
def test_its_manifest_tells_nothing_of_the_machine_that_made_it(again):
    published = open_artifact(SAMPLE).manifest
    assert published.keys() == again.manifest.keys()
    assert {name: published[name] for name in published if name != "files"} == {
        name: again.manifest[name] for name in again.manifest if name != "files"
    }
    assert published["corpus"] == CORPUS
    assert "finished" not in published


def test_its_files_are_as_they_were_made():
    assert verify(SAMPLE) == []


def test_it_is_large_enough_to_measure_with():
    with (SAMPLE / "webvid_covr_test.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({(row["pth1"], row["edit"]) for row in rows}) >= 1000
    targets = defaultdict(set)
    for row in rows:
        targets[row["pth1"], row["edit"]].add(row["pth2"])
        assert row["pth1"] != row["pth2"]
    assert any(len(found) > 1 for found in targets.values())


def test_it_holds_no_score_of_an_encoder():
    table = open_artifact(SAMPLE).read()
    for name in ("text_similarity", "visual_similarity", "frame_scores"):
        assert table[name].null_count == table.num_rows
