"""query_features: the two steps of BSE-CoVR, against the reference's recalls and against cvr bench."""

import csv
import json

import numpy as np
import pytest

from cvr_bench.results.result import read_result
from tests.golden import __file__ as golden_package


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    """The reference's features as files without ids, and a CSV in the same order; arrays and folder."""
    arrays = np.load(golden_package.replace("__init__.py", "covr_metrics_a.npz"))
    folder = tmp_path_factory.mktemp("golden")
    with (folder / "webvid8m-covr_test.csv").open("w", encoding="utf-8", newline="") as lines:
        rows = csv.writer(lines)
        rows.writerow(["txt1", "txt2", "pth1", "pth2", "edit"])
        for reference, target in zip(arrays["webvid.reference_id"], arrays["webvid.target_id"], strict=True):
            rows.writerow(["a", "b", reference, target, "make it so"])
    np.save(folder / "query_feat.npy", arrays["webvid.query"])
    np.save(folder / "gallery_feat.npy", arrays["webvid.gallery"])
    return arrays, folder


@pytest.mark.parametrize(
    ("words", "name", "key"),
    [
        ([], "recalls.json", "webvid.recalls_json"),
        (["--keep-self"], "recalls_ss.json", "webvid.recalls_self_similarity_json"),
    ],
)
def test_recalls_are_those_of_the_reference(cvr, golden, words, name, key):
    arrays, folder = golden
    outcome = cvr.done("score", folder, "-d", "webvid-covr", "-D", f"annotations={folder}", "-D", "counts=any", *words)
    found = json.loads((folder / name).read_text())
    assert found == {**json.loads(str(arrays[key])), "annotation": "webvid8m-covr_test.csv"}
    assert "150 of 150 queries, gallery of 150" in outcome.out


@pytest.fixture(scope="module")
def encoded(world, tmp_path_factory):
    import cli

    folder = tmp_path_factory.mktemp("encoded")
    small = ["-o", "width=8", "-o", "heads=2"]
    data = ["-d", f"{world.triplets}"]
    assert cli.run(["bench", "-m", "fdca", *small, "-t", "epochs=1", *data, "-O", f"{folder / 'results'}"]) == 0
    trained = ["--checkpoint", f"{folder / 'results' / 'fdca-tiny'}"]
    assert cli.run(["encode-queries", "-m", "fdca", *trained, *data, "-O", f"{folder / 'features'}"]) == 0
    return folder


def test_a_model_scored_in_two_steps_has_the_recalls_of_one(cvr, world, encoded):
    cvr.done("score", encoded / "features", "-d", world.triplets)
    found = json.loads((encoded / "features" / "recalls.json").read_text())
    metrics = read_result(encoded / "results" / "fdca-tiny").record["metrics"]
    assert {name: found[name.replace("@", "")] for name in ("R@1", "R@5", "R@10", "R@50")} == {
        name: round(metrics[name]["value"], 2) for name in ("R@1", "R@5", "R@10", "R@50")
    }
    assert found["meanR4"] == round(metrics["mean"]["value"], 2)
    assert found["annotation"] == "tiny"
    assert json.loads((encoded / "features" / "recalls_txt_only.json").read_text()).keys() == found.keys()
    cvr.done("verify", encoded / "features")


def test_the_text_only_features_do_not_depend_on_the_reference(world, encoded):
    import pyarrow.parquet as pq

    rows = pq.read_table(encoded / "results" / "fdca-tiny" / "ranks.parquet").to_pylist()
    text_of = {row["query_id"]: row["modification"] for row in rows}
    ids = json.loads((encoded / "features" / "ids.json").read_text())["queries"]
    whole, alone = (np.load(encoded / "features" / f"query_feat{name}.npy") for name in ("", "_txt_only"))
    assert whole.shape == alone.shape == (18, 16)
    same = [row for row, name in enumerate(ids) if text_of[name] == "make it red"]
    assert len(same) >= 2
    np.testing.assert_allclose(alone[same], np.repeat(alone[same[:1]], len(same), axis=0), atol=1e-6)
    assert np.abs(whole[same[0]] - whole[same[1]]).max() > 1e-3


def test_features_of_other_queries_or_shapes_are_refused(one_line_error, world, encoded, golden, tmp_path):
    _, folder = golden
    webvid = ["-d", "webvid-covr", "-D", f"annotations={folder}", "-D", "counts=any"]
    assert "has no query" in one_line_error("score", encoded / "features", *webvid)
    assert "has no query_feat.npy; cvr encode-queries writes it" in one_line_error("score", tmp_path, *webvid)
    np.save(tmp_path / "query_feat.npy", np.ones((3, 4), np.float32))
    np.save(tmp_path / "gallery_feat.npy", np.ones((150, 4), np.float32))
    assert "has 3 rows for 150 queries" in one_line_error("score", tmp_path, *webvid)
    np.save(tmp_path / "query_feat.npy", np.ones((150, 5), np.float32))
    assert "is 5 wide, gallery_feat.npy 4" in one_line_error("score", tmp_path, *webvid)
    np.save(tmp_path / "query_feat.npy", np.full((150, 4), np.nan, np.float32))
    assert "row 0, 1, 2 and 147 more is not finite" in one_line_error("score", tmp_path, *webvid)
    (tmp_path / "query_feat.npy").write_bytes(b"nothing")
    assert "cannot be read as an .npy file" in one_line_error("score", tmp_path, *webvid)


def test_models_that_cannot_be_encoded_say_why(one_line_error, world, tmp_path):
    data = ["-d", world.triplets, "-O", tmp_path]
    assert "fdca has to be trained; pass --checkpoint" in one_line_error("encode-queries", "-m", "fdca", *data)
    assert "random gives scores and no embeddings" in one_line_error("encode-queries", "-m", "random", *data)
    assert "of one data set at a time" in one_line_error("encode-queries", "-m", "sum", "-d", "all", "-O", tmp_path)
    assert "sum has no parameters" in one_line_error("encode-queries", "-m", "sum", "--checkpoint", tmp_path, *data)
