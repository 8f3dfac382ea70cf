"""keep_splits: what was placed stays in its split and group, and new videos give way; a grown dataset keeps its ids."""

import json

import pyarrow as pa
import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.tables import VIDEOS
from cvr_data.videos.near_duplicates import Config, split_videos
from cvr_data.videos.split import keep_video_splits
from tests.dataset_folders import table_of

pytestmark = pytest.mark.slow

EARLIER = {"a": ("train", "ga"), "b": ("test", "gb"), "c": ("train", "gc")}


def placed(groups, given=None):
    """Split videos by computed group (video -> group), and keep what was; return video -> (split, group, reason)."""
    given = given or {}
    rows = [{"video_id": name, "captions": ["x"], "source": "s", "split": given.get(name)} for name in groups]
    videos = table_of(rows, VIDEOS)
    earlier = [{"video_id": name, "captions": ["x"], "source": "s", "split": split, "group_id": group}
               for name, (split, group) in EARLIER.items()]  # fmt: skip
    assigned = split_videos(Config(val=0.0, test=0.0), videos, list(groups.values()))
    own = videos["split"].to_pylist()
    kept = keep_video_splits(assigned, own, check_columns(pa.Table.from_pylist(earlier), VIDEOS, "test"))
    return {row["video_id"]: (row["split"], row["group_id"], row["drop_reason"]) for row in kept.to_pylist()}


def test_what_was_placed_stays_and_new_videos_are_drawn():
    found = placed({"a": "1", "b": "2", "c": "3", "new": "4"})
    assert found == {"a": ("train", "ga", None), "b": ("test", "gb", None), "c": ("train", "gc", None),
                     "new": ("train", "4", None)}  # fmt: skip


def test_a_near_duplicate_of_a_test_video_joins_the_test():
    assert placed({"a": "1", "b": "2", "new": "2"})["new"] == ("test", "gb", None)


def test_a_new_video_between_two_splits_is_dropped_and_both_stay():
    found = placed({"a": "1", "b": "1", "new": "1"})
    assert found["new"][2] == "joins_kept_splits"
    assert (found["a"], found["b"]) == (("train", "ga", None), ("test", "gb", None))


def test_a_new_video_between_two_groups_of_one_split_joins_the_first():
    found = placed({"a": "1", "c": "1", "new": "1"})
    assert found["new"] == ("train", "ga", None)
    assert found["c"] == ("train", "gc", None)


@pytest.mark.parametrize(("given", "reason"), [("test", "near_duplicate_of_kept_train"), ("train", None), (None, None)])
def test_a_new_video_that_the_corpus_puts_elsewhere_than_its_near_duplicate(given, reason):
    assert placed({"a": "1", "new": "1"}, {"new": given})["new"][2] == reason


def test_a_dataset_that_grows_keeps_its_triplets_and_splits(tmp_path, cvr):
    """Through the real commands: forty videos, then twelve more, some of them first by name."""
    things = ("dog", "cat", "bird", "horse")
    places = ("sand", "snow", "grass", "rock", "wood")
    old = {f"v{place}{thing}{take}": f"a {thing} runs on {place}" for place in places for thing in things
           for take in "12"}  # fmt: skip
    new = {f"{take}{place}cow": f"a cow runs on {place}" for place in places for take in "az"}
    before = build(cvr, tmp_path / "before", old, None)
    after = build(cvr, tmp_path / "after", {**new, **old}, tmp_path / "before" / "split")
    splits = {row["triplet_id"]: row["split"] for row in after}
    assert len(before) > 50
    assert len(after) > len(before)
    assert all(splits[row["triplet_id"]] == row["split"] for row in before)
    outcome = cvr("diff", tmp_path / "before" / "set", tmp_path / "after" / "set", "--json")
    found = json.loads(outcome.out)
    assert found["triplets"]["removed"]["count"] == len(found["moved"]["videos"]) == 0
    assert found["triplets"]["changed"] == {}


def build(cvr, root, captions, keep):
    """Import, split, mine, write by rule and build; return the rows."""
    root.mkdir()
    lines = ["id,caption", *(f"{name},{caption}" for name, caption in captions.items())]
    (root / "clips.csv").write_text("\n".join(lines) + "\n")
    kept = ["--keep", keep] if keep else []
    for words in (
        ["import", "table", root / "clips.csv", "-o", "id=id", "-o", "caption=caption", "--out", root / "videos"],
        ["split", root / "videos", "-O", root / "split", *kept, "-o", "test=0.3"],
        ["mine-pairs", root / "split", "--strategy", "one-word", "--filter", "none", "-O", root / "pairs"],
        ["generate-modifications", root / "pairs", "--style", "short", "--llm", "rules", "-O", root / "texts"],
        ["build-triplets", root / "texts", "-O", root / "set"],
    ):
        cvr.done(*words)
    return open_artifact(root / "set").read(["triplet_id", "split"]).to_pylist()
