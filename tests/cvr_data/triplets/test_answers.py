"""answers: every video that has the target's caption is a target of the query, unless people said it is none."""

import pyarrow as pa
import pytest

from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.tables import MODIFICATIONS, PAIRS, VIDEOS
from cvr_data.triplets.answers import AnswersConfig, add_triplet_answers, triplet_answers_by_caption
from cvr_data.triplets.build import build_triplets, find_triplet_parts
from cvr_data.triplets.join import Config
from cvr_data.triplets.judgments import Verdict
from tests.dataset_folders import mined_pair, ruled_text, write_artifact

RED, BLUE, GREEN = "a red ball", "a blue ball", "a green ball"
CORPUS = [
    ("r1", RED, "test"), ("r2", RED, "test"), ("b1", BLUE, "test"), ("b2", "A blue ball!", "test"),
    ("b3", BLUE, "train"), ("b4", BLUE, "train"), ("r3", RED, "train"), ("g1", GREEN, "test"),
]  # fmt: skip
SPLIT_OF = {name: split for name, _, split in CORPUS}


def write_world(folder, ends, *, style="short", groups=(), texts=("make it blue",)):
    """Write videos, a pair for each (reference, target), and its texts; return the folder of texts."""
    captions = {name: caption for name, caption, _ in CORPUS}
    videos = [{"video_id": name, "captions": [caption], "source": "x", "split": split,
               "group_id": "g" if name in groups else name} for name, caption, split in CORPUS]  # fmt: skip
    pairs = [mined_pair((a, b), (captions[a], captions[b]), changes=[], split=SPLIT_OF[a], visual_similarity=0.5,
                        reference_group_id="g" if a in groups else a, target_group_id="g" if b in groups else b)
             for a, b in ends]  # fmt: skip
    rows = [
        ruled_text(pair["pair_id"], text, style=style, seed=seed) for pair in pairs for seed, text in enumerate(texts)
    ]
    made = write_artifact(folder / "videos", "import-tiny", videos, VIDEOS)
    made = write_artifact(folder / "pairs", "mine-pairs", pairs, PAIRS, videos=made)
    return write_artifact(folder / "texts", "generate-modifications", rows, MODIFICATIONS, pairs=made)


def built(folder, texts, **options):
    artifact = build_triplets(find_triplet_parts([texts]), folder / "out", Config(**options), name="tiny")
    assert verify(artifact.path) == []
    return artifact


def targets(artifact):
    return {(row["reference_id"], row["target_id"]) for row in artifact.read().to_pylist()}


def test_every_video_of_the_split_with_the_target_s_caption_is_a_target(tmp_path):
    artifact = built(tmp_path, write_world(tmp_path, [("r1", "b1"), ("r3", "b3")]))
    assert targets(artifact) == {("r1", "b1"), ("r1", "b2"), ("r3", "b3")}  # of train, as it was mined
    assert artifact.manifest["further_answers"] == 1
    assert "(1 rows beside those that were mined)" in (artifact.path / "README.md").read_text()
    mined, made = sorted((row for row in artifact.read().to_pylist() if row["reference_id"] == "r1"),
                         key=lambda row: row["target_id"])  # fmt: skip
    assert (made["query_id"], made["modification_id"]) == (mined["query_id"], mined["modification_id"])
    assert (mined["visual_similarity"], made["visual_similarity"]) == (0.5, None)
    assert made["target_group_id"] == "b2"


def test_a_target_that_was_mined_stays_as_it_was(tmp_path):
    artifact = built(tmp_path, write_world(tmp_path, [("r1", "b1"), ("r1", "b2")]))
    rows = artifact.read().to_pylist()
    assert [row["visual_similarity"] for row in rows] == [0.5, 0.5]
    assert len({row["query_id"] for row in rows}) == 1
    assert artifact.manifest["further_answers"] == 0


def test_the_reference_and_its_near_duplicates_are_no_answers(tmp_path):
    texts = write_world(tmp_path, [("r1", "b1")], groups=("r1", "b2"))
    assert targets(built(tmp_path, texts)) == {("r1", "b1")}


def test_a_text_of_descriptions_does_not_lead_to_others_of_the_caption(tmp_path):
    assert targets(built(tmp_path, write_world(tmp_path, [("r1", "b1")], style="dense"))) == {("r1", "b1")}


def test_a_query_that_too_many_videos_answer_is_dropped_and_counted(tmp_path):
    artifact = built(tmp_path, write_world(tmp_path, [("r1", "b1"), ("r1", "g1"), ("r3", "b3")]), max_answers=1)
    assert artifact.manifest["dropped"] == {"too_many_answers": 1}
    assert targets(artifact) == {("r1", "g1"), ("r3", "b3")}


def test_without_a_limit_queries_stay_as_they_were_mined(tmp_path):
    artifact = built(tmp_path, write_world(tmp_path, [("r1", "b1")]), max_answers=0)
    assert targets(artifact) == {("r1", "b1")}
    assert "further_answers" not in artifact.manifest
    assert "Only mined targets are marked as correct" in (artifact.path / "README.md").read_text()


def test_equal_texts_of_one_pair_make_one_further_row(tmp_path):
    artifact = built(tmp_path, write_world(tmp_path, [("r1", "b1")], texts=("make it blue", "turn it blue")))
    assert sorted((row["target_id"], row["modification"]) for row in artifact.read().to_pylist()) == [
        ("b1", "make it blue"), ("b1", "turn it blue"), ("b2", "make it blue"), ("b2", "turn it blue"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "judged", "expected"),
    [
        (None, False, {"b1", "b2"}),
        (None, True, {"b1"}),
        (Verdict(reason="review_other"), False, {"b1"}),
        (Verdict(chosen="make it blue", modification="make it blue"), True, {"b1", "b2"}),
        (Verdict(chosen="make it blue", modification="paint it"), False, {"b1"}),
    ],
)
def test_what_people_said_of_the_further_video_counts(tmp_path, verdict, judged, expected):
    texts = write_world(tmp_path, [("r1", "b1")])
    rows = build_triplets(find_triplet_parts([texts]), tmp_path / "out", Config(max_answers=0), name="tiny").read()
    rows = rows.append_column("folder", pa.array([0], pa.int32())).append_column("is_test_source", pa.array([False]))
    videos = triplet_answers_by_caption(False, open_artifact(tmp_path / "videos").read())
    config = AnswersConfig(
        max_answers=5, default_split="train", verdicts={("r1", "b2", "short"): verdict} if verdict else {},
        judged_splits=frozenset({"test"}) if judged else frozenset(),
    )  # fmt: skip
    table, _ = add_triplet_answers(config, pa.concat_tables([rows, videos], promote_options="permissive"))
    assert set(table.column("target_id").to_pylist()) == expected
