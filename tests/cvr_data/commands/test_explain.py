"""`cvr explain` of every drop: of a text, a triplet and a pair, with the values that decided, as the shell runs it."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.tables import JUDGMENTS, PAIRS
from tests.dataset_folders import mined_pair, write_artifact

PROMPT = """{summary: s, source: s, style: short, changes: CHANGES, user: '$before $after',
lint: {lint-empty: {}, lint-too-long: {short: 4}}}"""


def write_pairs(folder, *rows, **inputs):
    """Write pairs of red balls, each of (reference, target, its colour, further columns)."""
    pairs = [mined_pair((reference, target), ("a red ball bounces", f"a {after} ball bounces"), **columns)
             for reference, target, after, columns in rows]  # fmt: skip
    write_artifact(folder, "mine-pairs", pairs, PAIRS, **inputs)
    return [row["pair_id"] for row in pairs]


@pytest.fixture
def told(cvr):
    """Run a command that has to succeed and return what it prints."""

    def run(*words):
        outcome = cvr.done(*words)
        return outcome.out

    return run


@pytest.fixture
def write_texts(tmp_path, told):
    def write(text, *words, changes="any", pairs="pairs", out="texts"):
        prompt = tmp_path / "mine.yaml"
        prompt.write_text(PROMPT.replace("CHANGES", changes), encoding="utf-8")
        told("generate-modifications", tmp_path / pairs, "--prompt", prompt, "--llm", "echo", "-o", f"text={text}",
             "--attempts", "2", "--cache", tmp_path / "requests.sqlite", "-O", tmp_path / out, *words)  # fmt: skip
        return open_artifact(tmp_path / out).read().to_pylist()

    return write


def test_a_rejected_text_tells_each_reason_with_its_values_and_its_pair(tmp_path, told, write_texts):
    (pair,) = write_pairs(tmp_path / "pairs", ("r", "t", "blue", {}))
    (row,) = write_texts("turn the red ball $after right now")
    shown = told("explain", row["modification_id"][:6], "--in", tmp_path / "texts").splitlines()
    assert shown[0] == f"text {row['modification_id']}: rejected, too_long"
    assert "  modification  turn the red ball blue right now" in shown
    assert "  why           too_long: 7 words; short texts have at most 4 (lint-too-long)" in shown
    assert f"  pair          {pair} by one-word: 'a red ball bounces' -> 'a blue ball bounces' (red -> blue)" in shown
    assert "  videos        r -> t" in shown
    assert shown == told("explain", row["modification_id"], "--in", tmp_path / "texts").splitlines()


def test_an_accepted_text_has_no_reason(tmp_path, told, write_texts):
    write_pairs(tmp_path / "pairs", ("r", "t", "blue", {}))
    (row,) = write_texts("make it $after")
    shown = told("explain", row["modification_id"], "--in", tmp_path / "texts")
    assert ": ok\n" in shown and "  why  " not in shown


@pytest.mark.parametrize(
    ("text", "changes", "said"),
    [
        ("red -> $after", "any", "no_sentence: the answer is a note with an arrow, no sentence"),
        ("Sorry, I cannot help with that.", "any", "refusal: the model would not write one"),
        ("make it $after", "action", "no_action_change: the changes of the pair are red -> blue (static)"),
    ],
)
def test_a_text_that_was_never_linted_tells_why_there_is_none(text, changes, said, tmp_path, told, write_texts):
    write_pairs(tmp_path / "pairs", ("r", "t", "blue", {}))
    (row,) = write_texts(text, changes=changes)
    assert f"  why           {said}" in told("explain", row["modification_id"], "--in", tmp_path / "texts").splitlines()


def test_a_repeated_text_names_the_one_that_it_repeats(tmp_path, told, write_texts):
    write_pairs(tmp_path / "pairs", ("r", "t", "blue", {}))
    first, second = write_texts("make it $after", "--num-texts", "2")
    shown = told("explain", second["modification_id"], "--in", tmp_path / "texts")
    assert f"duplicate: another text of the pair has these words ({first['modification_id']})" in shown


def test_what_is_not_here_any_more_is_said(tmp_path, told, write_texts):
    write_pairs(tmp_path / "pairs", ("r", "t", "blue", {}))
    (row,) = write_texts("turn the red ball $after right now")
    (tmp_path / "pairs").rename(tmp_path / "moved")
    shown = told("explain", row["modification_id"], "--in", tmp_path / "texts")
    assert "too_long: its pair is not here" in shown and "no table of pairs that is here has it" in shown


def test_ids_that_are_none_or_several_are_one_line(tmp_path, write_texts, one_line_error):
    write_pairs(tmp_path / "pairs", ("r", "t", "blue", {}), ("r2", "t2", "green", {}))
    write_texts("make it $after")
    assert "2 modifications of" in one_line_error("explain", "", "--in", tmp_path / "texts")
    assert "has no modification 'zz'" in one_line_error("explain", "zz", "--in", tmp_path / "texts")


def dropped_triplets(folder):
    tables = [pq.read_table(path) for path in sorted(folder.glob("dropped-*.parquet"))]
    return pa.concat_tables(tables, promote_options="permissive").to_pylist()


@pytest.mark.parametrize(
    ("rows", "options", "said"),
    [
        (
            [("a", "b", "blue", {"split": "train"}), ("b", "c", "green", {"split": "test"})],
            (),
            "the target b is of split test in triplet {kept}, here of train",
        ),
        (
            [("a", "b", "blue", {"split": "train", "reference_group_id": "g"}),
             ("d", "c", "green", {"split": "val", "target_group_id": "g"})],
            (),
            "the reference a (or a near-duplicate, group g) is of split val in triplet {kept}, here of train",
        ),
        (
            [("a", "t", "blue", {"visual_similarity": 0.5}), ("b", "t", "green", {"visual_similarity": 0.75})],
            ("-o", "max_per_target=1"),
            "1 triplets of the target 't' come first, at most 1 may stay; they look 0.750 alike or more, these 0.500",
        ),
        (
            [("a", "t", "blue", {"visual_similarity": 0.5}), ("b", "u", "blue", {"visual_similarity": 0.75})],
            ("-o", "max_per_text=1"),
            "1 triplets of the text 'make it blue' come first, at most 1 may stay; they look 0.750 alike or more, "
            "these 0.500",
        ),
        (
            [("a", "a", "blue", {}), ("b", "c", "green", {})],
            (),
            "both are one video",
        ),
    ],
)  # fmt: skip
def test_a_dropped_triplet_tells_which_others_decided(rows, options, said, tmp_path, told, write_texts):
    write_pairs(tmp_path / "pairs", *rows)
    write_texts("make it $after")
    told("build-triplets", tmp_path / "texts", "-O", tmp_path / "triplets", *options)
    (row,) = dropped_triplets(tmp_path / "triplets")
    (kept,) = open_artifact(tmp_path / "triplets").read().to_pylist()
    shown = told("explain", row["triplet_id"], "--in", tmp_path / "triplets").splitlines()
    assert shown[0].startswith(f"triplet {row['triplet_id']}: dropped by {row['drop_reason']}")
    assert f"  dropped       {said.format(kept=kept['triplet_id'])}" in shown
    assert not any(line.startswith("  dropped") for line in told("explain", kept["triplet_id"], "--in", tmp_path /
                                                                 "triplets").splitlines())  # fmt: skip


def test_a_triplet_whose_text_was_rejected_tells_why(tmp_path, told, write_texts):
    write_pairs(tmp_path / "pairs", ("r", "t", "blue", {}))
    write_texts("turn the red ball $after right now")
    told("build-triplets", tmp_path / "texts", "-O", tmp_path / "triplets")
    (row,) = dropped_triplets(tmp_path / "triplets")
    shown = told("explain", row["triplet_id"], "--in", tmp_path / "triplets").splitlines()
    assert "  why           too_long: 7 words; short texts have at most 4 (lint-too-long)" in shown


def test_a_triplet_of_two_texts_tells_of_the_other(tmp_path, told, write_texts):
    write_pairs(tmp_path / "pairs", ("r", "t", "blue", {}))
    write_texts("make it $after")
    write_texts("make it $after", "--seed", "1", out="again")
    told("build-triplets", tmp_path / "texts", tmp_path / "again", "-O", tmp_path / "triplets")
    (row,) = dropped_triplets(tmp_path / "triplets")
    shown = told("explain", row["triplet_id"], "--in", tmp_path / "triplets")
    assert f"also          text {row['modification_id']} by echo, dropped by duplicate" in shown


def test_a_dropped_pair_tells_the_filter_and_its_values(tmp_path, told):
    path = tmp_path / "c.csv"
    path.write_text("video_id,caption\na,a dog runs in the 7 parks\nb,a dog runs in the 8 parks\n", encoding="utf-8")
    told("import", "table", path, "--out", tmp_path / "videos")
    told("mine-pairs", tmp_path / "videos", "-O", tmp_path / "pairs")
    row = dropped_triplets(tmp_path / "pairs")[0]
    shown = told("explain", row["pair_id"][:8], "--in", tmp_path / "pairs")
    assert f"pair {row['pair_id']}: dropped by digits (digit): 7 -> 8: " in shown
    assert f"videos        {row['reference_id']} -> {row['target_id']}" in shown


def test_what_test_sources_drop_is_told_with_the_test_triplet(tmp_path, told, write_texts):
    path = tmp_path / "c.csv"
    path.write_text("video_id,caption\n" + "".join(f"{name},a ball\n" for name in "abcde"), encoding="utf-8")
    told("import", "table", path, "--out", tmp_path / "videos")
    made_of = {"videos": tmp_path / "videos"}
    pairs = [("a", "b", "blue", {"split": "train"}), ("c", "d", "blue", {"split": "test"})]
    write_pairs(tmp_path / "pairs", *pairs, **made_of)
    write_pairs(tmp_path / "other", ("b", "e", "green", {"split": "train"}), **made_of)
    write_texts("make it $after")
    write_texts("make it $after", pairs="other", out="tests")
    told("build-triplets", tmp_path / "texts", "--test-from", tmp_path / "tests", "-O", tmp_path / "triplets")
    (kept,) = open_artifact(tmp_path / "triplets").read().to_pylist()
    said = {
        row["drop_reason"]: told("explain", row["triplet_id"], "--in", tmp_path / "triplets").splitlines()
        for row in dropped_triplets(tmp_path / "triplets")
    }
    assert f"  dropped       the target b is in test triplet {kept['triplet_id']}" in said["shares_test_video"]
    line = "  dropped       c -> d is of split test, and the test triplets come from --test-from alone"
    assert line in said["not_of_test_source"]


def test_test_sources_without_videos_are_one_line(tmp_path, write_texts, one_line_error):
    write_pairs(tmp_path / "pairs", ("a", "b", "blue", {}))
    write_pairs(tmp_path / "other", ("c", "d", "green", {}))
    write_texts("make it $after")
    write_texts("make it $after", pairs="other", out="tests")
    words = ("build-triplets", tmp_path / "texts", "--test-from", tmp_path / "tests", "-O", tmp_path / "triplets")
    assert "made from no videos" in one_line_error(*words)
    assert not (tmp_path / "triplets" / "manifest.json").exists()


def test_what_people_dropped_is_told_with_what_they_said(tmp_path, told, write_texts):
    write_pairs(tmp_path / "pairs", ("r", "t", "blue", {"split": "train"}))
    write_texts("make it $after")
    judged = {"item_id": "i", "reference_id": "r", "target_id": "t", "style": "short", "texts": ["make it blue"],
              "judged_at": "2026-01-01T00:00:00", "split": "train"}  # fmt: skip
    rows = [
        {**judged, "judgment_id": "1", "annotator": "x", "decision": "reject", "reason": "wrong_change"},
        {**judged, "judgment_id": "2", "annotator": "y", "decision": "reject", "reason": "wrong_change"},
        {**judged, "judgment_id": "3", "annotator": "z", "decision": "skip"},
    ]
    write_artifact(tmp_path / "judgments", "export-judgments", rows, JUDGMENTS)
    told("build-triplets", tmp_path / "texts", "--judgments", tmp_path / "judgments", "-O", tmp_path / "triplets")
    (row,) = dropped_triplets(tmp_path / "triplets")
    shown = told("explain", row["triplet_id"], "--in", tmp_path / "triplets").splitlines()
    assert "  dropped       people said 2 x reject wrong_change, 1 x skip" in shown


def test_a_score_beyond_its_threshold_is_told_with_both(tmp_path, told, write_texts):
    write_pairs(tmp_path / "pairs", ("r", "t", "blue", {}))
    (row,) = write_texts("make it $after")
    told("score-modifications", tmp_path / "texts", "-O", tmp_path / "scored", "--min-gain", "2")
    shown = told("explain", row["modification_id"], "--in", tmp_path / "scored")
    (scored,) = open_artifact(tmp_path / "scored").read().to_pylist()
    assert f"why           low_cycle_gain: cycle_gain {scored['cycle_gain']:.3f}, at least 2.0" in shown


def test_a_video_that_an_import_dropped_tells_the_line(tmp_path, told):
    path = tmp_path / "c.csv"
    path.write_text("video_id,caption\na,a dog runs\nb,\n", encoding="utf-8")
    told("import", "table", path, "--out", tmp_path / "videos")
    shown = told("explain", "b", "--in", tmp_path / "videos").splitlines()
    assert shown[0] == "video b: dropped by no_caption"
    assert "  detail  line 3: no value in column 'caption'" in shown
