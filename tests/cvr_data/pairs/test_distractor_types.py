"""distractor types: what a caption makes of its video, the words that prove it wrong, and why a kind is missing."""

import pyarrow as pa
import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.whole_files import read_parquet
from cvr_data.language.entailment import caption_words_once
from cvr_data.language.frames import parsed_sentence_frames
from cvr_data.pairs.distractor_types import distractor_proof, missing_distractor_types
from cvr_data.pairs.distractors import Config, distractors_by_type, mine_distractors
from cvr_data.tables import TRIPLETS, VIDEOS
from tests.dataset_folders import write_artifact

REFERENCE, TARGET = "a red car drives in a kitchen", "a blue car drives in a kitchen"


def said(*captions):
    found = parsed_sentence_frames(captions)
    return [caption_words_once(found[caption]) for caption in captions]


@pytest.mark.parametrize(
    ("candidate", "about", "expected"),
    [
        ("a red car is driving in the kitchen", {}, ("way_back", "red, not blue")),
        ("a green car drives in a kitchen", {}, ("other_edit", "green, not blue")),
        ("a blue car drives in a bathroom", {}, ("same_edit", "bathroom, not kitchen")),
        ("a green boat on the sea", {"looks_alike": True}, ("same_look", "boat, not car")),
        ("a green car drives in a kitchen", {"is_of_recording": True}, ("same_recording", "green, not blue")),
        ("a blue car drives in a kitchen", {}, None),  # it answers
        ("a car drives in a kitchen", {"looks_alike": True}, None),  # it may be blue
        ("a green boat on the sea", {}, None),  # wrong, and no more than any other
    ],
)
def test_a_caption_says_what_kind_and_why(candidate, about, expected):
    found = distractor_proof(*said(candidate, REFERENCE, TARGET), **about)
    assert (found and tuple(found)) == expected


def test_of_two_changes_one_may_be_made():
    texts = said("a blue car drives in a kitchen", "a red car drives in a kitchen", "a blue car drives in a bathroom")
    assert distractor_proof(*texts, has_several=True).distractor_type == "half_change"
    assert distractor_proof(*texts) is None


ROWS = {
    "r": REFERENCE, "t": TARGET, "back": "a red car is driving in the kitchen",
    "other": "a green car drives in a kitchen", "edit": "a blue car drives in a bathroom",
    "clip": "a green dog sleeps", "twin": "The blue car drives in a kitchen.",
}  # fmt: skip


@pytest.fixture
def corpus(tmp_path):
    videos = [{"video_id": name, "captions": [text], "source": "x", "split": "test", "group_id": name,
               "recording_id": "tape" if name in ("r", "clip") else None} for name, text in ROWS.items()]  # fmt: skip
    query = {"triplet_id": "t", "query_id": "q", "reference_id": "r", "target_id": "t", "modification": "make it blue",
             "style": "short", "split": "test", "reference_caption": REFERENCE, "target_caption": TARGET,
             "changes": [{"kind": "static", "slot": "attribute", "before": "red", "after": "blue"}]}  # fmt: skip
    back = {**query, "triplet_id": "u", "query_id": "p", "reference_id": "other", "target_id": "back",
            "reference_caption": ROWS["other"], "target_caption": ROWS["back"],
            "modification": "make it red"}  # fmt: skip
    for name, stage, rows, schema in (("videos", "import-test", videos, VIDEOS),
                                      ("triplets", "build-triplets", [query, back], TRIPLETS)):  # fmt: skip
        write_artifact(tmp_path / name, stage, rows, schema)
    return tmp_path


@pytest.mark.engine
def test_each_row_says_kind_words_and_who_and_what_is_missing_why(corpus, cvr):
    outcome = cvr.done("mine-distractors", corpus / "triplets", corpus / "videos", "-o", "used=take", "-o",
                       "text_ceiling=1", "-O", corpus / "out")  # fmt: skip
    assert "same_recording      1 queries; without: no_recording 1" in outcome.out
    artifact = open_artifact(corpus / "out")
    rows = {row["video_id"]: row for row in artifact.read().to_pylist() if row["query_id"] == "q"}
    assert {name: row["distractor_type"] for name, row in rows.items()} == {
        "back": "way_back", "other": "other_edit", "edit": "same_edit", "clip": "same_recording",
    }  # fmt: skip
    assert {row["verified_by"] for row in rows.values()} == {"caption"}
    assert rows["other"]["why_wrong"] == "green, not blue"
    told = read_parquet(corpus / "out" / "missing-types.parquet").to_pylist()
    missing = {row["distractor_type"]: row["reason"] for row in told if row["query_id"] == "q"}
    assert missing == {"same_look": "no_features", "half_change": "one_change"}
    assert artifact.manifest["types"]["way_back"]["queries"] == 1
    assert distractors_by_type([corpus / "out"], {"q"}) == {
        "other_edit": {"q": frozenset({"other"})}, "same_edit": {"q": frozenset({"edit"})},
        "same_recording": {"q": frozenset({"clip"})}, "way_back": {"q": frozenset({"back"})},
    }  # fmt: skip


@pytest.mark.engine
def test_videos_that_triplets_use_are_left_unless_asked_for(corpus):
    artifact = mine_distractors(
        corpus / "triplets", corpus / "videos", None, Config(text_ceiling=1), corpus / "out", overwrite=False
    )
    kept = {row["video_id"] for row in artifact.read().to_pylist() if row["query_id"] == "q"}
    assert kept == {"edit", "clip"}
    dropped = [(row["video_id"], row["query_id"], row["drop_reason"]) for row in artifact.dropped().to_pylist()]
    assert {("other", None, "used_by_triplets"), ("back", None, "used_by_triplets")} <= {*dropped}
    assert ("twin", "q", "has_target_words") in dropped


def test_a_kind_whose_candidates_were_refused_says_by_what():
    queries = pa.table({"query_id": ["q"], "reference_id": ["r"], "changes": [[{"before": "a"}, {"before": "b"}]]})
    kinds = {"query_id": ["q"], "distractor_type": ["same_look"]}
    lost = pa.table(
        {"query_id": ["q", "q"], "distractor_type": ["half_change", None], "drop_reason": ["less_hard", "x"]}
    )
    found = missing_distractor_types(queries, pa.table(kinds), lost, {"r": "tape"}, has_features=True).to_pylist()
    assert {row["distractor_type"]: row["reason"] for row in found} == {
        "way_back": "none_found", "half_change": "less_hard", "same_edit": "none_found", "other_edit": "none_found",
        "same_recording": "none_found",
    }  # fmt: skip
