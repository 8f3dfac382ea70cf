"""near_duplicates: groups against a brute-force reading, and no group in two splits."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvr_data.core.errors import CvrError
from cvr_data.media.perceptual_hash import perceptual_hash
from cvr_data.tables import VIDEOS, content_id
from cvr_data.videos.kin import similar_video_rows, video_kin_components, video_kin_edges, video_kin_names
from cvr_data.videos.near_duplicates import Config, split_videos


def videos_table(splits):
    rows = [
        {"video_id": f"v{n}", "captions": ["a"], "source": "test", "split": split} for n, split in enumerate(splits)
    ]
    return pa.Table.from_pylist(rows, schema=VIDEOS)


def frames_of(seed, count=3, size=64):
    """Smooth random colour frames."""
    draw = np.random.default_rng(seed)
    cells = draw.integers(0, 256, (count, 8, 8, 3)).astype(np.uint8)
    return np.kron(cells, np.ones((1, size // 8, size // 8, 1), np.uint8))


def group_ids(names, pairs):
    edges = np.array(pairs, np.int64).reshape(-1, 2)
    return video_kin_names(pa.chunked_array([pa.array(names, pa.string())]), video_kin_components(len(names), edges))


@given(st.integers(0, 12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=12), st.randoms())
def test_groups_are_the_connected_components(count, pairs, random):
    pairs = [pair for pair in pairs if max(pair) < count]
    names = [f"v{number:02d}" for number in range(count)]
    expected = [{row} for row in range(count)]
    for _ in range(count):
        for first, second in pairs:
            union = expected[first] | expected[second]
            for row in union:
                expected[row] = union
    found = group_ids(names, pairs)
    assert found == [content_id(names[min(expected[row])]) for row in range(count)]
    random.shuffle(pairs)
    assert group_ids(names, [(second, first) for first, second in pairs]) == found


@given(st.integers(1, 9))
def test_similar_rows_are_those_of_the_whole_matrix(count):
    draw = np.random.default_rng(0)
    vectors = draw.normal(size=(30, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second = vectors[:count], vectors[count:]
    expected = [
        (row, other) for row in range(count) for other in range(30 - count) if first[row] @ second[other] >= 0.9
    ]
    assert list(map(tuple, similar_video_rows(first, second, 0.9).tolist())) == expected


def test_videos_of_one_sign_have_an_edge_to_the_first():
    keys, ids = [7, 8, 9, 7, 8, 7], [10, 11, 12, 13, 14, 15]
    signs = pa.table({"key": pa.array(keys, pa.uint64()), "id": pa.array(ids, pa.uint64()), "is_alike": [True] * 6})
    edges = video_kin_edges(None, signs).to_pylist()
    assert [(edge["first"], edge["second"]) for edge in edges] == [(10, 13), (11, 14), (10, 15)]


def test_a_perceptual_hash_survives_scaling_and_sees_another_video():
    frames = frames_of(0)
    larger = np.kron(frames, np.ones((1, 2, 2, 1), np.uint8))
    assert perceptual_hash(larger) == perceptual_hash(frames)
    assert perceptual_hash(frames_of(1)) != perceptual_hash(frames)
    assert perceptual_hash(frames[..., ::-1]) != perceptual_hash(frames)


def test_blank_frames_have_no_hash():
    assert perceptual_hash(np.full((2, 32, 32, 3), 7, np.uint8)) == ""


def test_a_split_of_the_corpus_wins_and_near_duplicates_of_test_are_dropped():
    table = videos_table(["train", "test", "train", "val", "val", "train"])
    table = split_videos(Config(), table, ["g", "g", "h", "h", "k", "m"])
    assert table["split"].to_pylist() == ["train", "test", "train", "val", "val", "train"]
    dropped = ["near_duplicate_of_test", None, "near_duplicate_of_val", None, None, None]
    assert table["drop_reason"].to_pylist() == dropped


def test_a_video_without_a_split_follows_its_group():
    table = split_videos(Config(), videos_table([None, "val", "test", None]), ["g", "g", "h", "h"])
    assert table["split"].to_pylist() == ["val", "val", "test", "test"]
    assert table["drop_reason"].null_count == 4


@given(st.lists(st.sampled_from(["train", "val", "test", None]), max_size=20), st.integers(1, 5))
def test_no_kept_group_straddles(splits, groups):
    ids = [f"g{row % groups}" for row in range(len(splits))]
    table = split_videos(Config(), videos_table(splits), ids)
    kept = [row for row in table.to_pylist() if row["drop_reason"] is None]
    assert len({(row["group_id"], row["split"]) for row in kept}) == len({row["group_id"] for row in kept})


def test_shares_come_out_about_as_asked_and_do_not_depend_on_the_other_videos():
    ids = [content_id(str(number)) for number in range(2000)]
    config = Config(val=0.2, test=0.1)
    splits = split_videos(config, videos_table([None] * 2000), ids)["split"].to_pylist()
    assert splits.count("test") == pytest.approx(200, abs=50)
    assert splits.count("val") == pytest.approx(400, abs=70)
    assert split_videos(config, videos_table([None] * 10), ids[:10])["split"].to_pylist() == splits[:10]


def test_an_unknown_split_is_named():
    with pytest.raises(CvrError, match="split must be train, val or test, got dev"):
        split_videos(Config(), videos_table(["dev"]), ["g"])


def test_val_stands_in_for_a_test_split_that_is_not_at_hand():
    given = ["train"] * 400 + ["val", "val", "test", "test"]
    ids = [f"g{number}" for number in range(400)] + ["g0", "h", "h", "t"]
    table = split_videos(Config(val_as_test=True), videos_table(given), ids)
    splits, reasons = table["split"].to_pylist(), table["drop_reason"].to_pylist()
    assert splits[400:402] == ["test", "test"]
    assert reasons[400:] == [None, None, "not_at_hand", "not_at_hand"]
    assert reasons[0] == "near_duplicate_of_test"  # a train video that looks like one of the new test split
    drawn = splits[1:400]
    assert set(drawn) == {"train", "val"} and 20 <= drawn.count("val") <= 60
    assert set(reasons[1:400]) == {None}
