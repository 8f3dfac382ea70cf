"""mine-distractors: what it keeps and refuses, the hardness by hand, and the gallery of the bench."""

import numpy as np
import pyarrow as pa
import pytest

from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS
from cvr_data.pairs.distractors import Config, mine_distractors, mined_distractor_gallery
from cvr_data.pairs.search.shared_words import CaptionWords, best_candidates, candidates, caption_words
from cvr_data.tables import TRIPLETS, VIDEOS
from tests.dataset_folders import write_artifact

QUERY = {
    "triplet_id": "t", "query_id": "q", "reference_id": "r", "target_id": "t", "modification": "make it a cat",
    "style": "short", "split": "test", "reference_caption": "a dog sleeps on a sofa",
    "target_caption": "a cat sleeps on a sofa", "target_group_id": "twins",
}  # fmt: skip
TRAIN = {**QUERY, "triplet_id": "u", "query_id": "p", "reference_id": "x", "target_id": "y", "split": "train",
         "target_group_id": None}  # fmt: skip
POOL = {
    "r": "a dog sleeps on a sofa", "y": "a dog eats", "same": "A cat sleeps on a sofa!", "twin": "a cat in a box",
    "all": "one cat sleeps on the big red sofa of a house by the sea", "val": "a dog on a lawn",
    "close": "a kitten sleeps on a sofa", "near": "a cat sits on a mat", "far": "a dog barks at the postman",
    "none": "rain falls", "wet": "a cat swims across the river",
}  # fmt: skip


def write(folder, stage, rows, schema):
    names = {name: None for row in rows for name in row}
    table = pa.table({name: pa.array([row.get(name) for row in rows], schema.field(name).type) for name in names})
    return write_artifact(folder, stage, table, schema)


@pytest.fixture
def corpus(tmp_path):
    rows = [
        {"video_id": name, "captions": [text], "source": "test", "split": "val" if name == "val" else None,
         "group_id": "twins" if name == "twin" else name}
        for name, text in POOL.items()
    ]  # fmt: skip
    return (
        write(tmp_path / "triplets", "build-triplets", [QUERY, TRAIN], TRIPLETS),
        write(tmp_path / "videos", "import-test", rows, VIDEOS),
    )


def mine(corpus, out, **options):
    return mine_distractors(*corpus, None, Config(**options), out, overwrite=False)


@pytest.mark.engine
def test_every_candidate_is_kept_or_refused_with_a_reason(corpus, tmp_path):
    artifact = mine(corpus, tmp_path / "out", per_query=2, candidates=50)
    assert {row["video_id"]: row["drop_reason"] for row in artifact.dropped().to_pylist()} == {
        "r": "used_by_triplets", "y": "used_by_triplets", "same": "target_caption", "twin": "near_duplicate",
        "all": "has_target_words", "val": "other_split", "close": "may_answer", "far": "less_hard",
    }  # fmt: skip
    assert sorted(artifact.read()["video_id"].to_pylist()) == ["near", "wet"]
    assert [(step["in"], step["out"]) for step in artifact.manifest["funnel"]] == [(11, 7), (6, 2)]
    assert verify(artifact.path) == []
    assert mined_distractor_gallery([artifact.path]) == {"near", "wet"}


@pytest.mark.engine
def test_unused_videos_of_other_splits_are_candidates_where_they_are_let(corpus, tmp_path):
    left, taken = (mine(corpus, tmp_path / name, other_splits=name) for name in ("leave", "take"))
    assert {row["video_id"] for row in taken.read().to_pylist()} == {
        *left.read()["video_id"].to_pylist(), "val"
    }  # fmt: skip
    assert "other_split" not in taken.dropped()["drop_reason"].to_pylist()
    assert "other_splits" not in left.manifest["config"]  # folders made before the option are found finished


@pytest.mark.engine
def test_hardness_is_the_margin_over_the_target(corpus, tmp_path):
    kept = mine(corpus, tmp_path / "out").read().to_pylist()
    encoder = ENCODERS.get("minilm").load(ENCODERS.config("minilm"))

    def cosine(first, second):
        return float(np.dot(*encoder.encode_texts([first, second]).pooled_BD.numpy()))

    reference, target = QUERY["reference_caption"], QUERY["target_caption"]
    for row in kept:
        text = POOL[row["video_id"]]
        margin = cosine(text, reference) + cosine(text, target) - cosine(target, reference) - 1
        assert row["hardness"] == pytest.approx(margin, abs=0.01)  # MiniLM rounds by the batch
        assert row["text_similarity"] == pytest.approx(cosine(text, target), abs=0.01)


def test_a_split_without_triplets_is_one_clear_line(corpus, tmp_path):
    with pytest.raises(CvrError, match="has no triplet of split 'val'"):
        mine(corpus, tmp_path / "out", split="val")


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="at least per_query"):
        Config(per_query=5, candidates=4)


def best_of(queries, pool, most, cut):
    """The best candidates, found in parts of `cut` videos."""
    counts = caption_words(None, pool)
    uses = counts["uses"].to_numpy()
    known = CaptionWords(counts["word"].combine_chunks(), uses, int(uses[-1]))
    parts = [candidates(most, pool.slice(start, cut), queries, known) for start in range(0, pool.num_rows, cut)]
    return best_candidates(most, pa.concat_tables(parts), queries)


@pytest.mark.parametrize("cut", [1, 4, 100])
def test_candidates_share_the_rarest_words_in_any_order_of_the_captions_and_any_parts(corpus, cut):
    queries = open_artifact(corpus[0]).read().slice(0, 1)
    pool = open_artifact(corpus[1]).read().sort_by("video_id")
    found = best_of(queries, pool, 4, cut)
    assert found["video_id"].to_pylist() == ["r", "all", "same", "close"]
    assert found["shared"].to_pylist()[0] == ["dog", "sleeps", "sofa"]
    assert found["has_target_words"].to_pylist() == [False, True, True, False]
    several = pool.to_pylist()
    several[0]["captions"] = ["rain falls", *several[0]["captions"]]
    again = best_of(queries, pa.Table.from_pylist(several[::-1], schema=pool.schema), 4, cut)
    assert again.select(["video_id", "caption"]).equals(found.select(["video_id", "caption"]))
