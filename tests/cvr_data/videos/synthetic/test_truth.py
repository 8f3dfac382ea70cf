"""truth: what a text must say, which clips answer a query, how good mined pairs are; checked on a hand-made world."""

import pyarrow as pa
import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.modifications.truth_texts import TEST_PATTERNS, TRAIN_PATTERNS, true_text, truth_modifications
from cvr_data.tables import MODIFICATIONS, PAIRS
from cvr_data.videos.synthetic.concepts import Concept
from cvr_data.videos.synthetic.truth import Truth, read_synthetic_truth
from cvr_data.videos.synthetic.world import sample_synthetic_world
from tests.dataset_folders import mined_pair, write_artifact
from tests.truth_measures import described_slots, mining_quality, text_is_correct, true_changes, valid_targets


def concept(colour: str = "red", thing: str = "ball", action: str = "bounces", **other: str) -> Concept:
    unsaid = {"texture": "plain", "size": "medium", "camera": "still", "scene": "beach"}
    return Concept(object=thing, colour=colour, action=action, **{**unsaid, **other})


TRUTH = Truth(
    concepts={
        "red": concept(),
        "blue": concept("blue"),
        "blue-again": concept("blue"),
        "blue-star": concept("blue", "star"),
        "blue-train": concept("blue"),
    },
    splits={"red": "test", "blue": "test", "blue-again": "test", "blue-star": "test", "blue-train": "train"},
)


def change(slot: str, before: str, after: str, kind: str = "static") -> dict[str, str]:
    return {"kind": kind, "slot": slot, "before": before, "after": after}


def pairs_of(*rows: tuple[str, str, dict[str, str]]) -> pa.Table:
    made = [mined_pair(ends, ends, strategy="hand", changes=[change]) for *ends, change in rows]
    return pa.Table.from_pylist(made, schema=PAIRS)


@pytest.mark.parametrize(
    "text",
    [
        "make it blue",
        "make the ball blue instead of red",
        "change it from red to blue",
        "change red to blue",
        "replace red with blue",
        "take out red and add blue",
        "it should be blue, not red",
        "add blue",
        "A BLUE sphere bouncing on the shore.",
    ],
)
def test_texts_that_lead_from_red_to_blue(text):
    assert text_is_correct(text, concept(), concept("blue"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "remove red",
        "make it red",
        "make it green",
        "make it red instead of blue",
        "replace blue with red",
        "make it blue, not round, without the ball",
        "make it a blue star",
        "make it blue and put it in the forest",
        "replace the star with a blue ball",
        "make it better",
    ],
)
def test_texts_that_do_not(text):
    assert not text_is_correct(text, concept(), concept("blue"))


def test_an_action_is_understood_in_any_form():
    reference, target = concept(), concept(action="moves left")
    assert text_is_correct("have it drift left rather than bounce", reference, target)
    assert text_is_correct("moving left, not bouncing", reference, target)
    assert not text_is_correct("moving right, not bouncing", reference, target)


def test_every_difference_must_be_asked_for():
    target = concept("blue", "star")
    for text in ("make it blue, and replace the ball with a star", "make it blue and change the ball to a star",
                 "turn the ball into a star and make it blue"):  # fmt: skip
        assert text_is_correct(text, concept(), target), text
    assert not text_is_correct("make it green and change the ball to a star", concept(), target)
    assert not text_is_correct("make it blue", concept(), target)


def test_all_clips_that_fit_are_valid_targets_in_the_same_split():
    assert valid_targets(TRUTH, "red", [change("attribute", "red", "blue")]) == {"blue", "blue-again"}
    assert valid_targets(TRUTH, "blue", [change("object", "sphere", "star")]) == {"blue-star"}
    assert valid_targets(TRUTH, "blue-star", [change("object", "star", "sphere")]) == {"blue", "blue-again"}


def test_a_change_that_no_clip_has_or_no_word_names_has_no_target():
    assert valid_targets(TRUTH, "red", [change("attribute", "red", "green")]) == frozenset()
    assert valid_targets(TRUTH, "red", [change("attribute", "red", "beautiful")]) == frozenset()


def test_true_changes_are_typed_as_the_tables_type_them():
    changes = true_changes(concept(), concept("blue", action="spins"))
    assert changes == [
        change("attribute", "red", "blue"),
        change("action", "bounces", "spins", kind="action"),
    ]


def test_an_unknown_clip_is_named():
    with pytest.raises(CvrError, match="no clip 'nobody'"):
        valid_targets(TRUTH, "nobody", [])


def test_precision_recall_and_typing_of_mined_pairs():
    pairs = pairs_of(
        ("red", "blue", change("attribute", "red", "blue")),
        ("blue", "red", change("object", "blue", "red")),
        ("red", "blue-star", change("object", "ball", "star")),
        ("blue", "blue-again", change("object", "ball", "sphere")),
    )
    quality = mining_quality(pairs, TRUTH)
    assert (quality.pairs, quality.precision, quality.typed) == (4, 0.5, 0.5)
    # red <-> blue, red <-> blue-again, blue <-> blue-star, blue-again <-> blue-star
    assert quality.recall == 2 / 8


def test_every_text_written_from_the_truth_is_correct():
    clips = sample_synthetic_world({"train": 150, "val": 0, "test": 150}, seed=3)
    checked = 0
    for split in ("train", "test"):
        chosen = [clip for clip in clips if clip.split == split]
        for number, (one, other) in enumerate(zip(chosen, chosen[1:] + chosen[:1], strict=True)):
            for key in (f"{number} a", f"{number} b", f"{number} c"):
                text = true_text(one.concept, other.concept, split=split, key=key)
                if text is not None:
                    assert text_is_correct(text, one.concept, other.concept), text
                    checked += 1
    assert checked > 800


def test_test_texts_use_patterns_of_their_own():
    assert TRAIN_PATTERNS.keys() == TEST_PATTERNS.keys()
    for name, patterns in TRAIN_PATTERNS.items():
        assert len(patterns) == len(TEST_PATTERNS[name])
        assert not set(patterns) & set(TEST_PATTERNS[name])


def test_truth_modifications_follow_the_pairs_and_reject_what_does_not_change():
    pairs = pairs_of(
        ("red", "blue", change("attribute", "red", "blue")),
        ("blue", "blue-again", change("object", "ball", "sphere")),
    )
    rows = truth_modifications(pairs, TRUTH).to_pylist()
    assert [row["status"] for row in rows] == ["ok", "rejected"]
    assert rows[1]["reasons"] == ["no_true_change"]
    assert "blue" in rows[0]["modification"]
    assert truth_modifications(pairs.slice(0, 1), TRUTH).to_pylist() == rows[:1]


def test_the_command_writes_modifications_beside_those_of_the_backends(cvr, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["-o", "train=40", "-o", "val=0", "-o", "test=0", "-o", "render=false"]
    cvr.done("import", "synthetic", *options)
    clips = [
        clip for clip in sample_synthetic_world({"train": 40, "val": 0, "test": 0}, seed=0) if clip.role == "family"
    ]
    pairs = pairs_of((clips[0].video_id, clips[1].video_id, change("object", "a", "b")))
    write_artifact(tmp_path / "pairs", "mine-pairs", pairs, videos=tmp_path / "videos")
    cvr.done("truth-modifications", "pairs")
    table = open_artifact("modifications/truth").read()
    assert table.schema.names == MODIFICATIONS.names
    truth = read_synthetic_truth(tmp_path / "videos")
    text = table.to_pylist()[0]["modification"]
    assert text_is_correct(text, truth.concept(clips[0].video_id), truth.concept(clips[1].video_id))


def test_videos_of_another_world_have_no_truth(tmp_path, one_line_error, cvr):
    (tmp_path / "t.csv").write_text("video_id,caption\nv1,a dog runs\n")
    cvr("import", "table", tmp_path / "t.csv", "-O", tmp_path / "videos")
    with pytest.raises(CvrError, match="has no truth"):
        read_synthetic_truth(tmp_path / "videos")


def test_a_description_is_measured_by_the_slots_it_names():
    said = "A red ball keeps bouncing in front of the beach, whose water is blue. The camera stays still."
    assert described_slots(said, concept()) == {"object", "colour", "action", "scene", "camera"}
    assert described_slots(said, concept("blue", "star")) == {"colour", "action", "scene", "camera"}
    assert described_slots("", concept()) == frozenset()


def test_true_descriptions_name_every_slot():
    for clip in sample_synthetic_world({"train": 6, "val": 0, "test": 4}, seed=3):
        assert len(described_slots(clip.description, clip.concept)) == 7
