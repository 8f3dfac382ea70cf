"""needs_both: which mined distractors are taken, how the share grows, and what is said of the gallery at the end."""

import numpy as np
import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.features.embed import embed
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.pool_queries import PoolQuery
from cvr_data.features.single_input_pool import SingleInputPool
from cvr_data.features.single_inputs import merged_similarity_ranks, similarity_composition_labels
from cvr_data.pairs.distractors import Config, mine_distractors
from cvr_data.pairs.needs_both import _taken, chosen_distractors
from cvr_data.tables import TRIPLETS, VIDEOS
from tests.cvr_data.pairs.test_distractors import POOL, QUERY, write
from tests.dataset_folders import write_artifact

pytestmark = pytest.mark.slow

SUM = "text-video+reference-video"


def test_videos_that_the_text_alone_prefers_are_taken_and_not_those_that_a_sum_prefers_too():
    ranks = {"text-video": np.array([1, 9]), "reference-video": np.array([9, 9]), SUM: np.array([1, 9])}
    beats = {
        "text-video": np.array([[1, 1, 1, 0], [0, 0, 0, 0]], bool),
        "reference-video": np.zeros((2, 4), bool),
        SUM: np.array([[0, 1, 0, 1], [1, 0, 0, 0]], bool),
    }
    taken, curve, labels = _taken(ranks, beats, 2, 0.5)
    assert taken == [0, 2]  # each takes one of the two places of the text away
    assert curve == ((0, 0.0, 0.0), (1, 0.0, 0.0), (2, 0.5, 0.5))
    assert labels == {"text_shortcut": 0, "visual_shortcut": 0, "needs_both": 1, "unresolved": 1}
    assert _taken(ranks, beats, 2, 0.0) == ([], ((0, 0.0, 0.0),), {**labels, "text_shortcut": 1, "needs_both": 0})


def test_where_no_candidate_helps_none_is_taken():
    ranks = {"text-video": np.array([1]), SUM: np.array([1])}
    beats = {name: np.ones((1, 3), bool) for name in ranks}
    assert _taken(ranks, beats, 2, 0.9)[:2] == ([], ((0, 0.0, 0.0),))


def test_what_is_said_of_the_gallery_is_what_the_pool_finds_in_it(tmp_path):
    rows = [{"video_id": f"v{n:02d}", "captions": [], "source": "tiny"} for n in range(60)]
    videos = open_artifact(write(tmp_path / "videos", "import-tiny", rows, VIDEOS)).read()
    embed(tmp_path / "videos", "hash", ENCODERS.config("hash", {"dim": 8, "frames": 2}), tmp_path / "embeddings")
    queries = [
        PoolQuery(reference_id=f"v{n:02d}", modification=f"text {n}", target_ids=frozenset({f"v{n + 15:02d}"}))
        for n in range(15)
    ]
    found = chosen_distractors(tmp_path / "embeddings", videos.slice(0, 30), videos.slice(30), queries, wanted=0.9)
    assert set(found.videos) <= {f"v{n:02d}" for n in range(30, 60)}
    assert found.queries == 15 and found.k == 1
    assert [count for count, *_ in found.curve] == [*range(len(found.videos) + 1)]
    names = {*videos.slice(0, 30).column("video_id").to_pylist(), *found.videos}
    is_there = [name in names for name in videos.column("video_id").to_pylist()]
    ranks = SingleInputPool(tmp_path / "embeddings", videos.filter(is_there)).ranks(queries)
    single = {name: rank_Q for name, rank_Q in ranks.items() if "+" not in name}  # sums are scaled by the gallery
    labels = similarity_composition_labels(merged_similarity_ranks(single), found.k)
    for label in ("text_shortcut", "visual_shortcut"):
        assert found.labels[label] == labels.count(label)


@pytest.mark.engine
def test_only_distractors_that_are_needed_are_kept_and_the_curve_is_told(tmp_path, cvr):
    rows = [{"video_id": name, "captions": [text], "source": "test", "split": "test"} for name, text in POOL.items()]
    target = {"video_id": "t", "captions": [QUERY["target_caption"]], "source": "test", "split": "test"}
    own = write(tmp_path / "own", "import-test", [rows[0], target], VIDEOS)
    pool = write(tmp_path / "videos", "import-test", [*rows, target], VIDEOS)
    triplets = tmp_path / "triplets"
    write(tmp_path / "plain", "build-triplets", [QUERY], TRIPLETS)
    write_artifact(triplets, "build-triplets", open_artifact(tmp_path / "plain").read(), videos=own)
    embed(pool, "hash", ENCODERS.config("hash", {"dim": 16, "frames": 2}), tmp_path / "embeddings")
    made = ("mine-distractors", triplets, pool, "--embeddings", tmp_path / "embeddings")
    outcome = cvr.done(*made, "-o", "needs_both=0.9", "-O", tmp_path / "out")
    artifact = open_artifact(tmp_path / "out")
    told = artifact.manifest["needs_both"]
    kept = {row["video_id"] for row in artifact.read().to_pylist()}
    assert told["curve"][-1][0] == len(kept)
    assert f"{told['queries']} queries need both inputs at 1, by videos added" in outcome.out
    dropped = {row["video_id"]: row["drop_reason"] for row in artifact.dropped().to_pylist()}
    assert dropped.keys().isdisjoint(kept)
    everything = mine_distractors(triplets, pool, tmp_path / "embeddings", Config(), tmp_path / "all", overwrite=False)
    all_kept = {row["video_id"] for row in everything.read().to_pylist()}
    assert {name for name, reason in dropped.items() if reason == "not_needed"} == all_kept - kept


def test_needs_both_without_features_or_without_a_gallery_is_one_line(tmp_path, one_line_error):
    pool = write(tmp_path / "videos", "import-test", [{"video_id": "y", "captions": ["a dog"], "source": "t"}], VIDEOS)
    triplets = write(tmp_path / "triplets", "build-triplets", [QUERY], TRIPLETS)
    words = ("mine-distractors", triplets, pool, "-o", "needs_both=0.5", "-O", tmp_path / "out")
    assert "pass --embeddings" in one_line_error(*words)
    assert "needs_both" in one_line_error("mine-distractors", triplets, pool, "-o", "needs_both=2")
    embed(pool, "hash", ENCODERS.config("hash", {"dim": 16, "frames": 2}), tmp_path / "embeddings")
    line = one_line_error(*words, "--embeddings", tmp_path / "embeddings")
    assert "does not say which videos its gallery has" in line
