"""diff: what is added, removed, changed, reworded and moved between two versions of a dataset."""

import dataclasses

import pytest

from cvr_data.tables import VIDEOS, triplet_id
from cvr_data.triplets.build import build_triplets, find_triplet_parts
from cvr_data.triplets.dataset import Dataset, open_triplet_dataset
from cvr_data.triplets.diff import dataset_difference
from cvr_data.triplets.join import Config
from tests.dataset_folders import table_of, write_texts
from tests.triplet_tables import triplet, triplets


@pytest.fixture
def built(tmp_path):
    build_triplets(find_triplet_parts([write_texts(tmp_path)]), tmp_path / "tiny", Config(), name="tiny")
    return tmp_path / "tiny"


def dataset(built, *rows, videos=None):
    """Return the dataset with other rows."""
    return dataclasses.replace(open_triplet_dataset(built), triplets=triplets(*rows), videos=videos)


def videos_of(**content):
    rows = [{"video_id": name, "captions": ["x"], "source": "s", "content_sha256": digest} for name, digest in
            content.items()]  # fmt: skip
    return table_of(rows, VIDEOS)


def test_a_version_is_like_itself(built):
    found = dataset_difference(open_triplet_dataset(built), open_triplet_dataset(built))
    assert found.is_none
    assert found.triplets.before == found.triplets.after == 3


def test_what_changed_by_hand(built):
    before = dataset(
        built, triplet("a", "make it red", "b"), triplet("a", "make it blue", "c"), triplet("d", "rain", "e"),
        triplet("f", "snow", "g", text_similarity=0.5), videos=videos_of(a="1", b="2", f="6"),
    )  # fmt: skip
    after = dataset(
        built, triplet("a", "turn it red", "b"), triplet("d", "rain", "e", split="test"),
        triplet("f", "snow", "g", text_similarity=0.75), triplet("x", "fog", "y"),
        videos=videos_of(a="1", b="9", f="6"),
    )  # fmt: skip
    found = dataset_difference(before, after)
    gone = sorted([triplet_id("a", "make it red", "b"), triplet_id("a", "make it blue", "c")])
    assert found.triplets.removed == gone
    assert found.triplets.added == sorted([triplet_id("a", "turn it red", "b"), triplet_id("x", "fog", "y")])
    assert found.triplets.changed == {
        "split": [triplet_id("d", "rain", "e")], "text_similarity": [triplet_id("f", "snow", "g")],
    }  # fmt: skip
    assert found.reworded == [triplet_id("a", "make it red", "b")]
    assert found.texts.removed == ["make it blue", "make it red"]
    assert (found.videos.added, found.videos.removed) == (["x", "y"], ["c"])
    assert found.videos.changed == {"content_sha256": ["b"]}
    assert found.moved_triplets == {"train -> test": [triplet_id("d", "rain", "e")]}
    assert found.moved_videos == {"train -> test": ["d", "e"]}


def test_a_version_without_a_videos_table_is_compared_by_ids(built):
    before = dataset(built, triplet("a", "x", "b"), videos=videos_of(a="1", b="2"))
    found = dataset_difference(before, dataset(built, triplet("a", "x", "b")))
    assert found.is_none
    assert isinstance(before, Dataset)


def test_the_command_says_it_in_lines(built, tmp_path, cvr):
    other = tmp_path / "other"
    other.mkdir()
    write_texts(other, verb="turn it")
    build_triplets(find_triplet_parts([other / "short"]), tmp_path / "next", Config(), name="tiny")
    outcome = cvr.done("diff", built, tmp_path / "next")
    assert "triplets  3 before, 3 after: 3 added, 3 removed" in outcome.out
    assert "reworded  3 triplets, such as" in outcome.out
    assert cvr("diff", built, built).out == "the versions are alike\n"
