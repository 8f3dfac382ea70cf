"""import triplets: published layouts become folders that stats, export and bench read, with their videos."""

import json

import pytest

from cvr_bench.benchmarks.triplets import STAGES
from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.formats import FORMATS
from cvr_data.triplets.dataset import open_triplet_dataset
from tests.triplet_tables import triplets

ROWS = triplets(("a", "make it blue", "b"), ("a", "make it blue", "c"), ("b", "make it red", "a"))


@pytest.mark.parametrize("name", ["webvid-covr", "finecvr", "parquet", "egocvr"])
def test_what_was_exported_is_imported(tmp_path, cvr, name):
    module, config = FORMATS.get(name), FORMATS.config(name, {})
    module.write(config, ROWS, tmp_path / "published")
    out = tmp_path / "annotations" / "mine"
    outcome = cvr.done("import", "triplets", tmp_path / "published", "-o", f"format={name}", "-O", out)
    assert "mine: 3 triplets" in outcome.out
    assert open_artifact(out).stage in STAGES
    assert verify(out) == []
    assert set(open_triplet_dataset(out).triplets["triplet_id"].to_pylist()) == set(ROWS["triplet_id"].to_pylist())
    assert json.loads(cvr("stats", out, "--json").out)["all"]["triplets"] == 3


def test_videos_that_the_layout_lists_come_along(tmp_path, cvr):
    FORMATS.get("finecvr").write(FORMATS.config("finecvr", {}), ROWS, tmp_path / "published")
    out = tmp_path / "mine"
    cvr.done("import", "triplets", tmp_path / "published", "-o", "format=finecvr", "-O", out)
    videos = open_triplet_dataset(out).videos
    assert videos is not None and set(videos["video_id"].to_pylist()) == {"a", "b", "c"}


def test_texts_are_stored_as_those_of_our_own_are(tmp_path, cvr):
    (tmp_path / "some_test.csv").write_text("pth1,pth2,edit\na,b,make it a cafe\u0301\u200b\n", encoding="utf-8")
    out = tmp_path / "mine"
    cvr.done("import", "triplets", tmp_path / "some_test.csv", "-o", "format=webvid-covr", "-O", out)
    expected = triplets(("a", "make it a café", "b"))
    for name in ("modification", "triplet_id", "query_id"):
        assert open_artifact(out).read()[name].to_pylist() == expected[name].to_pylist()


def test_a_triplet_that_stands_twice_is_kept_once_and_told(tmp_path, cvr):
    (tmp_path / "some_test.csv").write_text("pth1,pth2,edit\na,b,make it red\na,c,make it red\na,b,make it red\n")
    out = tmp_path / "mine"
    outcome = cvr("import", "triplets", tmp_path / "some_test.csv", "-o", "format=webvid-covr", "-O", out)
    assert "mine: 2 triplets" in outcome.out
    assert "dropped 1 duplicate" in outcome.out
    assert open_artifact(out).dropped()["drop_reason"].to_pylist() == ["duplicate"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x.csv"], "name its layout with -o format=NAME, one of"),
        (["-o", "format=cirr"], "name the file or folder to read"),
        (["gone.csv", "-o", "format=webvid-covr"], "gone.csv does not exist"),
        (["x.csv", "-o", "format=webvid-cover"], "Did you mean: webvid-covr"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, monkeypatch, one_line_error, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("pth1,pth2,edit\n")
    assert message in one_line_error("import", "triplets", *words)
