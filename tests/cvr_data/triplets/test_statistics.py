"""statistics: against a hand-counted table, and unknown stays unknown."""

import json

import pyarrow as pa
import pytest

from cvr_data.triplets.statistics import triplet_statistics, triplet_text_report
from tests.triplet_tables import triplet, triplets

ACTION = [{"kind": "action", "slot": "action", "before": "runs", "after": "jumps"}]
TABLE = triplets(
    triplet("a", "make it blue", "b", text_similarity=0.5, reference_group_id="g1", target_group_id="g2"),
    triplet("a", "make it blue", "c", text_similarity=0.7, reference_group_id="g1", target_group_id="g3"),
    triplet("d", "Let's jump, instead of a run!", "e", split="test", backend="transformers", model="smollm2",
            changes=ACTION, reference_group_id="g3", target_group_id="g5"),
)  # fmt: skip
VIDEOS = pa.table(
    {
        "video_id": ["a", "b", "c", "d", "e", "unused"],
        "duration_s": [1.0, 2.0, 3.0, None, 4.0, 99.0],
        "source": ["x"] * 4 + ["y"] * 2,
        "licence": ["MIT", "MIT", None, None, None, "MIT"],
    }
)


def test_counts_are_those_of_the_table():
    found = triplet_statistics(TABLE, VIDEOS)
    everything, test = found["all"], found["splits"]["test"]
    assert list(found["splits"]) == ["train", "test"]
    assert (everything["triplets"], everything["queries"], everything["queries_with_several_targets"]) == (3, 2, 1)
    assert (everything["videos"], everything["references"], everything["targets"]) == (5, 2, 3)
    assert (everything["texts"], everything["groups"]) == (2, 4)
    assert everything["words_per_text"]["mean"] == pytest.approx((3 + 3 + 6) / 3)
    assert everything["words"] == 9
    assert everything["changes"]["kinds"] == {"action": 1, "static": 2}
    assert everything["changes"]["top"][0] == ("red -> blue", 2)
    assert everything["sources_of_text"] == {"rules": 2, "transformers smollm2": 1}
    assert everything["duration_s"]["count"] == 4
    assert everything["duration_s"]["max"] == 4.0
    assert everything["sources"] == {"x": 4, "y": 1}
    assert everything["licences"] == {"MIT": 2, "unknown": 3}
    assert test["text_similarity"] is None
    assert test["triplets"] == 1


def test_shared_videos_groups_and_texts_are_counted():
    assert triplet_statistics(TABLE)["leaks"] == {
        "videos": {"train-test": 0},
        "groups": {"train-test": 1},  # g3
        "texts": {"train-test": 0},
    }


def test_what_the_tables_do_not_say_is_unknown():
    found = triplet_statistics(triplets(("a", "x", "b")))
    assert found["all"]["duration_s"] is None
    assert found["all"]["groups"] is None
    assert found["leaks"]["groups"] is None
    assert "Licences            unknown" in triplet_text_report(found)


def test_the_numbers_are_json():
    assert json.loads(json.dumps(triplet_statistics(TABLE, VIDEOS)))["all"]["triplets"] == 3


def test_no_triplet_at_all_is_no_crash():
    empty = TABLE.slice(0, 0)
    assert triplet_statistics(empty, VIDEOS)["all"]["words_per_text"] is None
    assert triplet_text_report(triplet_statistics(empty))
