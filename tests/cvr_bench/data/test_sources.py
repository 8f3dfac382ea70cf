"""sources: the triplets built last are found, and what they were made from is followed."""

import json
import os
from dataclasses import replace

import pytest

from cvr_bench.benchmarks.triplets import Config, load
from cvr_bench.data.sources import choose_data_sources, default_data, find_data_sources, newest_data, sample_data_folder
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.errors import CvrError
from cvr_data.core.lineage import follow


def make(path, finished, stage="build-triplets"):
    with ArtifactWriter(path, stage=stage) as writer:
        writer.finish()
    manifest = path / "manifest.json"
    content = {**json.loads(manifest.read_text()), "finished": finished}
    manifest.write_text(json.dumps(content))


def test_the_triplets_built_last_win(tmp_path):
    assert newest_data(tmp_path) is None
    make(tmp_path / "annotations" / "old", "2025-01-01T00:00:00+00:00")
    make(tmp_path / "work" / "annotations" / "new", "2025-03-01T00:00:00+00:00")
    make(tmp_path / "annotations" / "pairs", "2025-04-01T00:00:00+00:00", stage="mine-pairs")
    make(tmp_path / "other" / "newest", "2025-05-01T00:00:00+00:00")
    make(tmp_path / ".hidden" / "annotations" / "x", "2025-05-01T00:00:00+00:00")
    (tmp_path / "annotations" / "broken").mkdir()
    (tmp_path / "annotations" / "broken" / "manifest.json").write_text("{")
    assert newest_data(tmp_path) == tmp_path / "work" / "annotations" / "new"
    assert default_data(tmp_path) == (tmp_path / "work" / "annotations" / "new", "the triplets built last")


def test_of_two_in_one_second_the_later_file_wins(tmp_path):
    for number, name in enumerate(["b", "a"]):
        make(tmp_path / "annotations" / name, "2025-01-01T00:00:00+00:00")
        os.utime(tmp_path / "annotations" / name / "manifest.json", ns=(0, 10**18 + number))
    assert newest_data(tmp_path) == tmp_path / "annotations" / "a"


def test_the_packaged_sample_is_never_what_was_built_last():
    checkout = sample_data_folder().parent
    found = newest_data(checkout)
    assert found is None or not found.resolve().is_relative_to(sample_data_folder().resolve() / "synthetic")


def test_features_and_videos_are_followed(world):
    sources = find_data_sources(world.triplets, "--data")
    assert sources.embeddings == world.embeddings
    assert sources.videos == (world.videos,)
    assert follow(world.triplets, "checkpoint") == ()


def test_a_query_s_own_video_is_ranked_where_that_is_asked_for(world):
    for options, expected in ((), "exclude"), (["reference=keep"], "keep"):
        task = choose_data_sources(str(world.triplets), options, None).task("test")
        assert task.protocol.reference == expected
        own = task.queries[0].reference.item_id
        assert task.is_allowed(task.queries[0], own) == (expected == "keep")


def test_several_folders_of_one_kind_are_all_found(tmp_path):
    for name in ("one", "two"):
        make(tmp_path / name, "2025-01-01T00:00:00+00:00", stage="import-x")
    with ArtifactWriter(
        tmp_path / "t", stage="build-triplets", inputs={"videos": tmp_path / "one", "videos-2": tmp_path / "two"}
    ) as writer:
        writer.finish()
    assert follow(tmp_path / "t", "videos") == (tmp_path / "one", tmp_path / "two")


def test_data_that_does_not_lead_to_features_asks_for_them(tmp_path):
    make(tmp_path / "annotations" / "a", "2025-01-01T00:00:00+00:00")
    with pytest.raises(CvrError, match="does not say where its videos' features are; pass --embeddings"):
        find_data_sources(tmp_path / "annotations" / "a", "--data")


def test_triplets_and_features_are_read_once_and_give_the_same_task(world):
    sources = find_data_sources(world.triplets, "--data", world.embeddings)
    config = Config(data=world.triplets, embeddings=world.embeddings, videos=sources.videos)
    assert sources.task("test") == load(config)
    assert sources.task("test") is sources.task("test")
    assert sources.own_training.validation_task == load(replace(config, split="val"))
    assert sources.own_training is sources.own_training
