"""A checkpoint says which features it reads and which videos it saw, and the bench holds it to that."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cvr_bench.results.result import read_result

SMALL = ("-m", "fdca", "-o", "width=8", "-o", "heads=2")


@pytest.fixture
def trained(in_world, cvr):
    """A copy of the tiny world as the current folder, with a model trained on it."""
    cvr.done("bench", *SMALL, "-t", "epochs=1", "--no-audit")
    return in_world


def test_weights_know_their_space_and_their_videos(trained):
    training = trained / "results/fdca-tiny/training"
    space = json.loads((training / "lineage.json").read_text())["space"]
    assert (space["name"], space["dim"], space["heads"]) == ("hash", 16, None)
    videos = pq.read_table(training / "videos.parquet").to_pylist()
    assert {row["video_id"][:3] for row in videos if row["split"] == "train"} == {"tra"}
    assert {row["video_id"][:3] for row in videos if row["split"] == "val"} == {"val"}


def test_a_checkpoint_is_refused_over_features_of_another_space(trained, cvr, one_line_error):
    cvr.done("embed", "videos", "--encoder", "hash", "-o", "dim=16", "-o", "seed=7", "-O", "other")
    score = ("bench", *SMALL, "--checkpoint", "results/fdca-tiny", "--no-audit", "-O", "again")
    line = one_line_error(*score, "-e", "other")
    assert "results/fdca-tiny was trained on features of another space: seed 0, here 7." in line
    assert not (trained / "again").exists()  # the corrected command meets no folder
    cvr.done(*score)


def test_leaks_are_looked_for_with_a_checkpoint_and_said_of_the_videos_it_saw(trained, cvr, caplog):
    score = ("bench", *SMALL, "--checkpoint", "results/fdca-tiny", "--no-audit")
    cvr.done(*score, "-O", "again")
    record = read_result(trained / "again/fdca-tiny").record
    assert record["leaks"] == read_result(trained / "results/fdca-tiny").record["leaks"]
    assert record["leaks"]["val"]["leaked"] == record["leaks"]["gallery"]["leaked"] == 0
    assert record["lineage"]["seen_before"]["weights"]["queries_about_them"] == 0
    cvr.done(*score, "-O", "own", "--split", "train")
    seen = read_result(trained / "own/fdca-tiny").record["lineage"]["seen_before"]["weights"]
    assert seen["queries_about_them"] == seen["queries_that_target_them"] == seen["queries"] > 0
    assert "42 of 42 queries are about videos that the weights learned from" in caplog.text


def test_a_file_that_is_no_checkpoint_leaves_no_folder(trained, one_line_error):
    line = one_line_error("bench", *SMALL, "--checkpoint", "videos/manifest.json", "-O", "new")
    assert "Cannot read the checkpoint" in line
    assert not (trained / "new").exists()


def test_the_number_of_frames_is_no_part_of_the_space(trained, cvr):
    cvr.done("embed", "videos", "--encoder", "hash", "-o", "dim=16", "--frames", "2", "-O", "fewer")
    score = ("bench", *SMALL, "--checkpoint", "results/fdca-tiny", "--no-audit", "-e", "fewer", "-O", "again")
    cvr.done(*score)


def test_every_way_to_load_weights_refuses_another_space(trained, cvr, one_line_error):
    cvr.done("embed", "videos", "--encoder", "hash", "-o", "dim=16", "-o", "seed=7", "-O", "other")
    ways = [
        ("bench", "-m", "rerank", "-o", "first=sum", "-o", "second=fdca", "-o", "second_checkpoint=results/fdca-tiny"),
        ("encode-queries", "-m", "fdca", "--checkpoint", "results/fdca-tiny", "-O", "queries"),
        ("bench", *SMALL, "-o", "checkpoint=results/fdca-tiny", "-t", "epochs=1", "--no-audit", "-O", "further"),
    ]
    for words in ways:
        assert "was trained on features of another space: seed 0, here 7" in one_line_error(*words, "-e", "other")
    assert not (trained / "further").exists()


def test_weights_saw_what_the_weights_they_start_from_saw(trained, cvr):
    """Trained on train, then further from there: what is learned from first stays known."""
    first = trained / "start"
    shutil.copytree(trained / "results/fdca-tiny/training", first)
    rows = pq.read_table(first / "videos.parquet").to_pylist()
    rows.append({"video_id": "seen long ago", "split": "train"})
    pq.write_table(pa.Table.from_pylist(rows), first / "videos.parquet")
    start = ("-o", "checkpoint=start", "-t", "epochs=1", "--no-audit", "-O", "further")
    cvr.done("bench", *SMALL, *start)
    videos = pq.read_table(trained / "further/fdca-tiny/training/videos.parquet").column("video_id").to_pylist()
    assert "seen long ago" in videos
    record = read_result(trained / "further/fdca-tiny").record["lineage"]["seen_before"]
    assert record["weights of checkpoint"]["videos"] == sum(row["split"] == "train" for row in rows)
