"""Recordings in splits: clips of one recording stay together, and are near-duplicates only where they look alike."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.tables import VIDEOS
from cvr_data.videos.kin import video_kin_components, video_kin_names
from cvr_data.videos.near_duplicates import Config, split_videos
from cvr_data.videos.split import keep_video_splits, kept_together
from tests.dataset_folders import table_of

NOT_COMPARED = "; near-duplicates were not looked for, as there are no media and no --embeddings"
SPLITS = st.sampled_from(["train", "val", "test", None])


def split(rows, alike=()):
    """Split (given split, recording) rows, of which the rows of `alike` are near-duplicates; return them as dicts."""
    videos = [
        {"video_id": f"v{number}", "captions": ["x"], "source": "s", "split": given, "recording_id": recording}
        for number, (given, recording) in enumerate(rows)
    ]
    table = check_columns(pa.Table.from_pylist(videos, schema=VIDEOS), VIDEOS, "test")
    recordings = [recording for _, recording in rows]
    same = [(recordings.index(recording), row) for row, recording in enumerate(recordings) if recording]
    groups, kin = (
        video_kin_names(table["video_id"], video_kin_components(len(rows), np.array(pairs, np.int64).reshape(-1, 2)))
        for pairs in (list(alike), [*alike, *same])
    )
    return split_videos(Config(), table, groups, kin).to_pylist()


@given(
    st.lists(st.tuples(SPLITS, st.sampled_from(["a", "b", "c", None])), max_size=12),
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=4),
)
def test_neither_a_kept_recording_nor_a_kept_group_straddles(rows, pairs):
    found = split(rows, [pair for pair in pairs if max(pair) < len(rows)])
    for name in ("recording_id", "group_id"):
        kept = {(row[name], row["split"]) for row in found if row["drop_reason"] is None and row[name]}
        assert len(kept) == len({value for value, _ in kept})


def test_a_recording_is_no_group_of_near_duplicates():
    found = split([(None, "tape")] * 6 + [(None, None)])
    assert len({row["split"] for row in found[:6]}) == 1
    assert len({row["group_id"] for row in found}) == 7


def test_the_reason_says_whether_it_is_a_near_duplicate_or_of_the_same_recording():
    rows = [("train", "tape"), ("test", "tape"), ("train", None), ("test", None), ("val", None)]
    reasons = [row["drop_reason"] for row in split(rows, [(2, 3)])]
    assert reasons == ["same_recording_as_test", None, "near_duplicate_of_test", None, None]


def test_a_new_clip_joins_the_kept_split_of_its_recording():
    rows = [{"video_id": name, "captions": ["x"], "source": "s", "split": given}
            for name, given in (("old", None), ("new", None), ("other", "test"))]  # fmt: skip
    table = table_of(rows, VIDEOS)
    kin = ["k", "k", "k"]
    earlier = check_columns(pa.Table.from_pylist([{**rows[0], "split": "val", "group_id": "g"}]), VIDEOS, "test")
    assigned = split_videos(Config(), table, ["1", "2", "3"], kin)
    found = keep_video_splits(assigned, table["split"].to_pylist(), earlier, kin).to_pylist()
    assert [(row["split"], row["group_id"], row["drop_reason"]) for row in found] == [
        ("val", "g", None), ("val", "2", None), ("test", "3", "same_recording_as_kept_val"),
    ]  # fmt: skip


@pytest.mark.parametrize("option", [(), ("-o", "recording=film")])
def test_split_keeps_the_clips_of_a_recording_together(cvr, tmp_path, monkeypatch, option):
    monkeypatch.chdir(tmp_path)
    uid = "0123abcd-0000-1111-2222-{:012d}"
    lines = [
        f"{uid.format(film) if not option else f'clip{film}'}_{3 * part}_{3 * part + 2},a dog,film{film}\n"
        for film in range(20)
        for part in range(4)
    ]
    (tmp_path / "t.csv").write_text("video_id,caption,film\n" + "".join(lines))
    cvr.done("import", "table", "t.csv", *option, "-O", "videos")
    cvr.done("split", "videos", "-o", "test=0.3", "-o", "val=0.3", "-O", "split")
    rows = open_artifact("split").read().to_pylist()
    assert len(rows) == len({row["group_id"] for row in rows}) == 80
    films = {(row["video_id"].rsplit("_", 2)[0], row["split"]) for row in rows}
    assert len(films) == 20
    assert len({name for _, name in films}) == 3


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("a", ""), ("b", ""), ("c", "")], NOT_COMPARED),
        ([("a", "tape"), ("b", "tape"), ("c", "reel"), ("d", "reel"), ("e", "reel"), ("f", "")],
         f"{NOT_COMPARED}; 2 recordings of several clips (the largest has 3)"),
    ],
)  # fmt: skip
def test_a_split_says_what_it_kept_together_and_nothing_of_what_is_not_there(rows, told, cvr, tmp_path):
    lines = "".join(f"{video_id},a dog runs {video_id},{recording}\n" for video_id, recording in rows)
    (tmp_path / "t.csv").write_text(f"video_id,caption,tape\n{lines}")
    options = ["-o", "recording=tape", "-O", tmp_path / "videos"]
    cvr.done("import", "table", tmp_path / "t.csv", *options)
    outcome = cvr.done("split", tmp_path / "videos", "-O", tmp_path / "split")
    assert outcome.out.splitlines()[0].endswith(f" videos{told}")


def test_groups_are_told_where_videos_look_alike():
    manifest = {"groups": 3, "largest_group": 2, "recordings": 0, "largest_recording": 0, "is_compared": True}
    assert kept_together(manifest) == " in 3 groups of near-duplicates (the largest has 2)"
    assert kept_together({**manifest, "largest_group": 1}) == ", no two near-duplicates"
