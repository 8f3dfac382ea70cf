"""composition: what the build drops by the ranks of one input, what it says of it, and what remains."""

from collections import Counter

import pyarrow as pa
import pytest

from cvr_data.core.annotation_files import read_json
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.features.embed import embed
from cvr_data.features.encoders import hash as hash_encoder
from cvr_data.features.single_inputs import SHORTCUTS
from cvr_data.tables import DISTRACTORS, VIDEOS
from cvr_data.triplets.build import build_triplets, find_triplet_parts
from cvr_data.triplets.composition import (
    CompositionConfig,
    _gallery_rows,
    _joining_rows,
    _once,
    similarity_pool_k,
    triplet_composition_counts,
    triplet_composition_lines,
)
from cvr_data.triplets.join import Config
from tests.cvr_data.triplets.test_answers import write_world
from tests.dataset_folders import write_artifact


def test_counts_say_what_remains_of_queries_and_of_pairs_and_how_slots_move():
    told = {"test text_shortcut": 3, "test needs_both": 1, "test pairs": 2, "test chance needs_both": 500,
            "test before slot scene": 3, "test before slot action": 1, "test after slot action": 1,
            "further_answers": 7}  # fmt: skip
    found = triplet_composition_counts(told)
    assert (found["test"]["left_of_1000"], found["test"]["left_of_1000_pairs"]) == (250, 500)
    assert found["test"]["slots"] == {"action": [1, 1], "scene": [3, 0]}
    lines = triplet_composition_lines(found)
    assert "needs_both 1 (by chance 0)" in lines[0]
    assert lines[1:] == [
        "    without shortcuts: 250 of 1000 queries, 500 queries of 1000 pairs",
        "    slots: action 25 % -> 100 %, scene 75 % -> 0 %",
    ]
    assert triplet_composition_counts({"further_answers": 7}) == {}


@pytest.fixture
def world(tmp_path):
    texts = write_world(tmp_path, [("r1", "b1"), ("r1", "g1"), ("g1", "b2"), ("r3", "b3")])
    embed(tmp_path / "videos", "hash", hash_encoder.Config(dim=16, frames=2), tmp_path / "embeddings")
    return tmp_path, texts


@pytest.mark.engine
def test_the_build_drops_what_one_input_solves_and_keeps_ranks_and_label_of_the_others(world, cvr):
    folder, texts = world
    outcome = cvr.done("build-triplets", texts, "--embeddings", folder / "embeddings", "--require", "composition",
                       "-O", folder / "out")  # fmt: skip
    assert "test queries: text_shortcut" in outcome.out
    artifact = open_artifact(folder / "out")
    assert verify(artifact.path) == []
    kept, dropped = artifact.read().to_pylist(), artifact.dropped().to_pylist()
    assert {row["split"] for row in kept if row["composition"] is None} <= {"train"}
    assert all(row["composition"] not in SHORTCUTS for row in kept)
    assert {row["drop_reason"] for row in dropped} <= set(SHORTCUTS)
    labels = artifact.manifest["composition"]["test"]["labels"]
    assert sum(labels.values()) == len({row["query_id"] for row in [*kept, *dropped] if row["split"] == "test"}) > 0
    assert f"Of {sum(labels.values())} test queries those were dropped" in (artifact.path / "README.md").read_text()
    told = read_json(artifact.path / "statistics.json", dict)["all"]["composition"]
    assert (told or {}) == Counter(row["composition"] for row in kept if row["composition"])
    for row in [*kept, *dropped]:
        if row["composition"] in SHORTCUTS:
            assert min(row["text_rank"], row["visual_rank"]) == 1  # one in a hundred of five videos is one


@pytest.mark.engine
def test_k_says_how_deep_one_input_may_look(world):
    folder, texts = world
    sources = find_triplet_parts([texts], embeddings=folder / "embeddings")
    from dataclasses import replace

    made = build_triplets(replace(sources, needs_both=True), folder / "deep", Config(composition_k=5), name="tiny")
    assert {row["split"] for row in made.read().to_pylist()} == {"train"}  # among five videos all are found
    assert CompositionConfig(embeddings=folder / "embeddings").k == 0


def test_composition_without_features_is_one_line(world, one_line_error):
    folder, texts = world
    line = one_line_error("build-triplets", texts, "--require", "composition", "-O", folder / "out")
    assert "pass --embeddings" in line


def mined_of(folder, names, videos):
    """Write distractors of the test set `out`."""
    rows = [{"query_id": "q", "video_id": name, "reference_id": "r1", "target_id": "b1"} for name in names]
    with ArtifactWriter(
        folder, stage="mine-distractors", config={"split": "test"}, inputs={"videos": videos}
    ) as writer:
        writer.write_part(0, pa.Table.from_pylist(rows, schema=DISTRACTORS))
        writer.finish()
    return folder


@pytest.mark.engine
def test_distractors_join_the_gallery_of_their_split_and_k_stays(world, cvr):
    folder, texts = world
    mined = mined_of(folder / "mined", ["b3", "b4", "b1"], folder / "videos")  # b1 is there anyway
    made = ("build-triplets", texts, "--embeddings", folder / "embeddings", "--require", "composition")
    cvr.done(*made, "-O", folder / "plain")
    cvr.done(*made, "--distractors", mined, "-O", folder / "hard")
    ranks = []
    for name in ("plain", "hard"):
        artifact = open_artifact(folder / name)
        assert verify(artifact.path) == []
        rows = [*artifact.read().to_pylist(), *artifact.dropped().to_pylist()]
        ranks.append({row["query_id"]: row for row in rows if row["split"] == "test"})
    assert ranks[0].keys() == ranks[1].keys() and ranks[0]
    names = ("text_rank", "visual_rank")
    grown = [ranks[1][query][name] - row[name] for query, row in ranks[0].items() for name in names]
    assert min(grown) >= 0 and 0 < max(grown) <= 2
    assert [entry["path"] for name, entry in artifact.manifest["inputs"].items() if name == "distractors"] == [
        "../mined"
    ]
    gallery = pa.table({"video_id": ["a", "b"], "split": ["val", None]})
    config = CompositionConfig(embeddings=folder, joining=(("a", "test"), ("b", "test")))
    found = _once(None, pa.concat_tables([_gallery_rows(config, gallery)] * 2)).to_pylist()
    assert [(row["video_id"], row["split"]) for row in found] == [("a", "val"), ("a", "test"), ("b", "test")]


def test_k_counts_the_videos_that_are_there_anyway_and_of_another_pool_only_distractors_join():
    own = pa.table({"video_id": ["a", "b", "c"], "split": ["test", "test", "train"]})
    pool = pa.table({"video_id": ["b", "x", "y"], "split": ["test", "test", "test"]})
    config = CompositionConfig(embeddings=None, joining=(("b", "test"), ("c", "test"), ("x", "test")))
    for parts in ([_joining_rows(config, pool), _gallery_rows(config, own)], [_gallery_rows(config, own)]):
        found = _once(None, pa.concat_tables(parts)).sort_by("video_id").to_pylist()
        there = [(row["video_id"], row["split"], row["is_plain"]) for row in found]
        joined = [("x", "test", False)] if len(parts) > 1 else []
        assert there == [("a", "test", True), ("b", "test", True), ("c", "test", False), *joined]


@pytest.mark.engine
def test_k_of_the_gallery_stays_with_distractors_of_the_own_folder_and_of_another(world, cvr, monkeypatch):
    folder, texts = world
    rows = open_artifact(folder / "videos").read().to_pylist()
    other = write_artifact(folder / "pool", "import-tiny", [{**row, "split": "test"} for row in rows], VIDEOS)
    asked = []
    monkeypatch.setattr(
        "cvr_data.triplets.composition.similarity_pool_k", lambda count: asked.append(count) or similarity_pool_k(count)
    )
    made = ("build-triplets", texts, "--embeddings", folder / "embeddings", "--require", "composition")
    for name, pool in (("own", folder / "videos"), ("other", other)):
        mined = mined_of(folder / f"mined-{name}", ["b3", "b4", "b1"], pool)
        cvr.done(*made, "--distractors", mined, "-O", folder / name)
    cvr.done(*made, "-O", folder / "plain")
    counts = len(asked) // 3
    assert counts and asked[:counts] == asked[counts : 2 * counts] == asked[2 * counts :]


def test_distractors_that_are_none_are_one_line(world, one_line_error):
    folder, texts = world
    words = ("build-triplets", texts, "--embeddings", folder / "embeddings", "-O", folder / "out")
    assert "--require composition" in one_line_error(*words, "--distractors", folder / "videos")
    assert "mine-distractors" in one_line_error(*words, "--require", "composition", "--distractors", folder / "videos")


@pytest.mark.engine
def test_what_cannot_be_asked_is_told(world, cvr):
    folder, texts = world
    other = write_artifact(
        folder / "other", "import-tiny", [{"video_id": "z", "captions": ["a"], "source": "x"}], VIDEOS
    )
    outcome = cvr.done("build-triplets", texts, "--embeddings", folder / "embeddings", "--require", "composition",
                       "--videos", other, "-O", folder / "out")  # fmt: skip
    asked = {row["query_id"] for row in open_artifact(folder / "out").read().to_pylist() if row["split"] == "test"}
    assert f"{len(asked)} test queries were not asked what they need" in outcome.out
