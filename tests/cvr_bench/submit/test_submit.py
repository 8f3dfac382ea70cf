"""cvr submit: files that servers take, written and checked, on samples and on the servers' own examples."""

import json
from pathlib import Path

import numpy as np
import pytest

from cvr_bench.data.sources import sample_data_folder
from tests.feature_folders import embed_ids

SAMPLES = sample_data_folder() / "samples"


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    """Features, 256 wide, of what the samples of CIRR and of the challenge name."""
    ids = set(json.loads((SAMPLES / "cirr" / "image_splits" / "split.rc2.test1.json").read_text()))
    text = (SAMPLES / "dense-webvid-covr" / "validation_set.csv").read_text()
    ids |= {line.split(",")[1] for line in text.splitlines()[1:]}
    ids |= {f"image{number}" for number in range(60)}
    return embed_ids(tmp_path_factory.mktemp("submit"), ids, dim=256)


@pytest.fixture
def cirr(tmp_path):
    """CIRR's sample with a gallery of more than 50 images."""
    for name in ("captions/cap.rc2.test1.json", "image_splits/split.rc2.test1.json"):
        content = json.loads((SAMPLES / "cirr" / name).read_text())
        if "splits" in name:
            content |= {f"image{number}": f"./image{number}.png" for number in range(60)}
        (tmp_path / "cirr" / name).parent.mkdir(parents=True)
        (tmp_path / "cirr" / name).write_text(json.dumps(content))
    return ["-D", f"annotations={tmp_path / 'cirr'}", "-D", "counts=any"]


def test_cirr_gets_two_files_that_pass_its_checks(cvr, features, cirr, tmp_path):
    cvr.done("submit", "cirr", "-m", "sum", "-e", features, *cirr, "-O", tmp_path / "cirr.json")
    whole, subset = (json.loads((tmp_path / name).read_text()) for name in ("cirr.json", "cirr_subset.json"))
    assert (whole["metric"], subset["metric"]) == ("recall", "recall_subset")
    assert {len(ids) for name, ids in whole.items() if name not in ("version", "metric")} == {50}
    assert {len(ids) for name, ids in subset.items() if name not in ("version", "metric")} == {3}
    for name in ("cirr.json", "cirr_subset.json"):
        assert "its server would take it" in cvr("submit", "cirr", "--check", tmp_path / name, *cirr).out


def test_a_file_that_the_server_would_refuse_is_refused(cvr, one_line_error, features, cirr, tmp_path):
    path = tmp_path / "cirr.json"
    cvr("submit", "cirr", "-m", "sum", "-e", features, *cirr, "-O", path)
    content = json.loads(path.read_text())
    query = next(name for name in content if name.isdigit())
    content[query] = content[query][:49]
    path.write_text(json.dumps(content))
    assert f"query {query} has 49 answers, not 50" in one_line_error("submit", "cirr", "--check", path, *cirr)
    path.write_text("[]")
    assert "should hold an object of lists" in one_line_error("submit", "cirr", "--check", path, *cirr)


def test_the_challenge_gets_one_row_of_256_numbers_per_query(cvr, one_line_error, features, tmp_path):
    words = ["-D", f"annotations={SAMPLES / 'dense-webvid-covr'}", "-D", "counts=any", "-D", "split=challenge-val"]
    path = tmp_path / "challenge.npy"
    cvr.done("submit", "dense-webvid-covr", "-m", "sum", "-e", features, *words, "-O", path)
    rows = np.load(path)
    count = len((SAMPLES / "dense-webvid-covr" / "validation_set.csv").read_text().splitlines()) - 1
    assert (rows.shape, rows.dtype) == ((count, 256), np.float32)
    for changed, message in (
        (rows[:, :128], "rows of 256 numbers"),
        (rows[1:], f"the server takes {count} rows"),
        (np.zeros_like(rows), "row 0, 1, 2 and" if count > 3 else "is all zeros"),
        (np.full_like(rows, np.inf), "is not finite"),
    ):
        np.save(path, changed)
        assert message in one_line_error("submit", "dense-webvid-covr", "--check", path, *words)


def test_covr_r_gets_fifty_videos_of_the_querys_own_source(cvr, one_line_error, tmp_path):
    names = [f"folder/{number}.mp4" for number in (2001, *range(60))] + [f"{number}.webm" for number in range(70, 130)]
    for name in names:
        (tmp_path / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "videos" / name).touch()
    features = embed_ids(tmp_path / "made", {Path(name).stem for name in names}, dim=8)
    words = ["-D", f"annotations={SAMPLES / 'covr-r'}", "-D", "counts=any"]
    path, run = tmp_path / "answers.json", ["submit", "covr-r", "-m", "sum", "-e", features, *words]
    assert "pass -D videos=FOLDER" in one_line_error(*run, "-O", path)
    videos = ["-D", f"videos={tmp_path / 'videos'}"]
    assert "2 queries, 50 videos each" in cvr.done(*run, *videos, "-O", path).out
    assert "the checker of a participant would take it" in cvr("submit", "covr-r", "--check", path, *words, *videos).out
    content = json.loads(path.read_text())
    webvid, ss2 = content[0]["webvid"], content[1]["ss2"]
    assert [list(group) for group in content] == [["webvid"], ["ss2"]]
    assert (webvid[0]["id"], webvid[0]["video_source"], ss2[0]["video_source"]) == (7, "folder/2001", 77)
    assert all(name.startswith("folder/") and name != "folder/2001" for name in webvid[0]["video_target"])
    assert set(ss2[0]["video_target"]) <= {str(number) for number in range(70, 130)} - {"77"}
    webvid[0]["video_target"][0] = "2002"
    path.write_text(json.dumps(content))
    assert "names 2002 without the folder" in one_line_error("submit", "covr-r", "--check", path, *words)
    webvid[0]["video_target"][0] = "folder/2001"
    path.write_text(json.dumps(content))
    assert "query webvid-7 answers its own reference" in one_line_error("submit", "covr-r", "--check", path, *words)
    for name in names:
        (tmp_path / "flat" / Path(name).name).parent.mkdir(exist_ok=True)
        (tmp_path / "flat" / Path(name).name).touch()
    line = one_line_error(*run, "-D", f"videos={tmp_path / 'flat'}", "-O", tmp_path / "other.json")
    assert "without the folder" in line and not (tmp_path / "other.json").exists(), (
        "what its check refuses is not written"
    )


def test_what_is_missing_is_said_in_one_line(one_line_error, tmp_path, monkeypatch):
    monkeypatch.setenv("CVR_DATA", str(tmp_path))
    no_features = one_line_error("submit", "cirr", "-m", "sum", "-O", tmp_path / "cirr.json")
    assert "cirr comes without features of its videos; pass --embeddings" in no_features
    assert "has no server to submit to" in one_line_error("submit", "webvid-covr", "--check", tmp_path)
    assert "is not there" in one_line_error("submit", "cirr", "--check", tmp_path / "no.json")
    assert "--model and --out, or --check" in one_line_error("submit", "cirr")


@pytest.mark.data
@pytest.mark.parametrize("metric", ["recall", "recall_subset"])
def test_the_server_of_cirr_would_take_its_demo_files(cvr, real_data, metric):
    path = real_data / "cirr" / "demo_files" / f"test1_pred_ranks_{metric}.json"
    outcome = cvr("submit", "cirr", "--check", path, "-D", f"annotations={real_data / 'cirr'}")
    assert outcome.out == (
        f"{path}: cirr-test1: 4148 queries, {50 if metric == 'recall' else 3} names each, for {metric}; "
        "its server would take it.\n"
    )


@pytest.mark.data
def test_the_server_of_circo_would_take_its_example_for_val_and_not_for_test(cvr, one_line_error, real_data):
    path = real_data / "circo" / "submission_examples" / "submission_val.json"
    words = ["submit", "circo", "--check", path, "-D", f"annotations={real_data / 'circo'}"]
    assert "circo-val: 220 queries, 50 ids each" in cvr(*words, "-D", "split=val").out
    assert "circo-test: query 220, 221, 222 and 577 more has no answer" in one_line_error(*words)
