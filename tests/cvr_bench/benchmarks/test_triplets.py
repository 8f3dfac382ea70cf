"""triplets: every video of the split is ranked once, and what cannot be scored is counted."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cvr_bench.benchmarks.triplets import Config, benchmark_triplets_to_learn, load, read_benchmark_triplets
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.tables import DISTRACTORS, query_id
from tests.dataset_folders import write_artifact

CSV = "pth1,pth2,edit\n1/10,1/11,make it a cat\n1/10,1/12,make it snow\n"


def test_the_gallery_is_every_video_of_the_split(world):
    task = load(Config(data=world.triplets, embeddings=world.embeddings, videos=(world.videos,)))
    assert [item.item_id for item in task.gallery] == [f"test{number:02d}" for number in range(12)]
    assert len(task.queries) == 18
    assert task.name == "tiny"
    assert task.protocol.gallery == "split"
    assert task.left_out == {}


def test_rows_of_one_query_are_one_query_with_several_targets(world):
    task = load(Config(data=world.triplets, embeddings=world.embeddings, videos=(world.videos,)))
    assert task.targets[query_id("test00", "make it red")] == {"test01", "test02"}
    assert all(len(ids) == 1 for name, ids in task.targets.items() if name != query_id("test00", "make it red"))


def test_queries_are_sliced_by_what_changed_and_who_wrote(world):
    slices = load(Config(data=world.triplets, embeddings=world.embeddings)).slices
    assert set(slices) == {"kind", "slot", "backend", "style", "changes"}
    assert set(slices["changes"].values()) == {"1"}
    assert slices["kind"][query_id("test01", "make it blue")] == "static"
    assert slices["kind"][query_id("test00", "it should be red now")] == "action"
    assert slices["backend"][query_id("test00", "it should be red now")] == "echo"


def test_without_a_videos_table_the_named_videos_are_ranked(world):
    task = load(Config(data=world.triplets, embeddings=world.embeddings))
    assert [item.item_id for item in task.gallery] == [f"test{number:02d}" for number in range(10)]
    assert task.protocol.gallery == "named"


def test_mined_distractors_join_the_gallery_and_the_protocol_says_so(world, tmp_path):
    rows = [
        {"query_id": "q", "video_id": name, "reference_id": "test00", "target_id": "test01"}
        for name in ("train00", "train01", "nowhere")
    ]
    write_artifact(tmp_path / "distractors", "mine-distractors", rows, DISTRACTORS)
    config = Config(data=world.triplets, embeddings=world.embeddings, distractors=(tmp_path / "distractors",))
    task = load(config)
    assert {item.item_id for item in task.gallery} == {"train00", "train01", *(f"test{n:02d}" for n in range(10))}
    assert task.protocol.gallery == "named+distractors"
    assert task.left_out == {"gallery videos without features": 1}
    assert load(replace(config, videos=(world.videos,))).protocol.gallery == "split+distractors"
    with pytest.raises(CvrError, match="where 'mine-distractors' is needed"):
        load(replace(config, distractors=(world.videos,)))


def test_videos_without_features_are_left_out_and_counted(world, tmp_path):
    from cvr_data.features.embed import embed
    from cvr_data.features.encoders import ENCODERS

    rows = [row for row in world_videos(world) if row["video_id"] not in ("test03", "test11")]
    write_artifact(tmp_path / "videos", "import-tiny", rows)
    embed(tmp_path / "videos", "hash", ENCODERS.get("hash").Config(dim=16, frames=2), tmp_path / "embeddings")
    task = load(Config(data=world.triplets, embeddings=tmp_path / "embeddings", videos=(world.videos,)))
    assert len(task.gallery) == 10
    assert task.left_out == {"gallery videos without features": 2, "queries about videos without features": 4}
    config = Config(data=world.triplets, embeddings=tmp_path / "embeddings", split="train")
    assert benchmark_triplets_to_learn(read_benchmark_triplets(world.triplets), config).reference_ids


def test_a_query_whose_only_target_is_its_reference_is_left_out_and_counted(tmp_path):
    (tmp_path / "own_test.csv").write_text(CSV + "1/11,1/11,make it new\n")
    task = load(Config(data=tmp_path / "own_test.csv"))
    assert len(task.queries) == 2
    assert task.left_out == {"queries whose only target is their reference": 1}


def test_a_query_is_the_same_whatever_features_are_stored(world, tmp_path):
    rows = [
        {"reference_id": "test00", "target_id": target, "modification": "make it red", "style": style, "split": "test"}
        for target, style in (("test01", "short"), ("nowhere", "dense"))
    ]
    named = [{"triplet_id": row["target_id"], "query_id": "q", **row} for row in rows]
    pq.write_table(pa.Table.from_pylist(named), tmp_path / "two.parquet")
    task = load(Config(data=tmp_path / "two.parquet", embeddings=world.embeddings))
    assert task.targets == {"q": {"test01"}}
    assert task.slices == {"style": {"q": "several"}}
    assert task.left_out == {"gallery videos without features": 1, "targets without features": 1}


def world_videos(world):
    from cvr_data.core.artifacts import open_artifact

    return open_artifact(world.videos).read().to_pylist()


def test_embeddings_of_other_videos_are_refused(world, tmp_path):
    (tmp_path / "webvid8m-covr_test.csv").write_text(CSV)
    with pytest.raises(CvrError, match="has features of no query of"):
        load(Config(data=tmp_path / "webvid8m-covr_test.csv", embeddings=world.embeddings))


def test_a_published_csv_file_is_a_task(tmp_path):
    (tmp_path / "webvid8m-covr_test.csv").write_text(CSV)
    for path in (tmp_path, tmp_path / "webvid8m-covr_test.csv"):
        task = load(Config(data=path))
        assert [query.modification for query in task.queries] == ["make it a cat", "make it snow"]
        assert [item.item_id for item in task.gallery] == ["1/10", "1/11", "1/12"]


def test_training_rows_are_those_of_the_split(world):
    config = Config(data=world.triplets, embeddings=world.embeddings, split="train")
    training_set = benchmark_triplets_to_learn(read_benchmark_triplets(world.triplets), config)
    assert len(training_set) == 43
    assert {name[:5] for name in training_set.reference_ids} == {"train"}
    assert set(training_set.extra) >= {"backend", "style"}


def test_a_split_that_is_not_there_names_those_that_are(world, tmp_path):
    (tmp_path / "webvid8m-covr_test.csv").write_text(CSV)
    with pytest.raises(CvrError, match=r"has no triplet of split 'val' \(it has: test 2\)"):
        load(Config(data=tmp_path, split="val"))


def test_what_is_no_triplets_is_refused(world, tmp_path):
    with pytest.raises(CvrError, match="was made by 'embed'; triplets are made by cvr build-triplets"):
        read_benchmark_triplets(world.embeddings)
    with pytest.raises(CvrError, match="does not exist"):
        read_benchmark_triplets(tmp_path / "none")
    with pytest.raises(CvrError, match=r"holds no triplets: neither an artifact nor a \.csv or \.parquet file"):
        read_benchmark_triplets(tmp_path)


def test_a_description_goes_before_the_caption_of_the_reference(world, tmp_path):
    rows = open_artifact(world.triplets).read().to_pylist()
    for number, row in enumerate(rows):
        row["reference_caption"] = "a caption"
        row["reference_description"] = "a long description" if number % 2 else None
    path = tmp_path / "described.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    found = {row["query_id"]: row["reference_description"] or "a caption" for row in reversed(rows)}
    config = Config(data=path, embeddings=world.embeddings)
    assert all(query.description == found[query.query_id] for query in load(config).queries)
    training = benchmark_triplets_to_learn(read_benchmark_triplets(path), replace(config, split="train"))
    assert set(training.extra["reference_description"]) == {"a caption", "a long description"}
