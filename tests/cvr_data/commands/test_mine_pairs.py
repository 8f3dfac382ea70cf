"""mine-pairs, why-not and explain: every row accounted for, and the same story from the files."""

import json
from itertools import pairwise

import pyarrow.parquet as pq
import pytest

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.core.errors import CvrError
from cvr_data.pairs.mine_pairs import DEFAULT_FILTERS, choose_mining_filters
from cvr_data.tables import PAIRS, VIDEOS
from tests.attack.damage import sealed
from tests.dataset_folders import table_of, write_texts

pytestmark = pytest.mark.slow

CAPTIONS = {
    "v1": "A red ball rolls", "v2": "a blue ball rolls.", "v3": "a green ball rolls", "v4": "a red cube rolls",
    "s1": "a cat", "s2": "a dog", "n1": "clip 12 again", "n2": "clip 13 again", "f1": "flag of peru",
    "f2": "flag of chad", "f3": "flag of cuba", "x": "something else entirely here",
}  # fmt: skip
CHEAP = ("straddling", "min-words", "max-words", "digits", "templates", "caption-pair-cap")


def write_videos(folder, captions=CAPTIONS, splits=None, size=5):
    rows = [
        {"video_id": key, "captions": [text], "source": "test", "split": (splits or {}).get(key, "train")}
        for key, text in captions.items()
    ]
    table = table_of(rows, VIDEOS) if rows else VIDEOS.empty_table()
    with ArtifactWriter(folder, stage="import-test") as writer:
        for index, start in enumerate(range(0, max(len(rows), 1), size)):
            writer.write_part(index, table.slice(start, size))
        writer.finish()
    return folder


@pytest.fixture
def mine(cvr, tmp_path):
    """Mine with every default filter but the band of text similarity, which needs an encoder."""

    def run(*words, videos=None, out="pairs"):
        options = {"min-words": "min-words:min_words=3"}
        chosen = [word for name in CHEAP for word in ("--filter", options.get(name, name))]
        cvr.done("mine-pairs", videos or tmp_path / "videos", "-O", tmp_path / out, *chosen, *words)
        return open_artifact(tmp_path / out)

    return run


@pytest.mark.engine
def test_every_row_is_kept_or_dropped_with_a_reason_and_counted(mine, tmp_path):
    write_videos(tmp_path / "videos", splits={"v3": "test"})
    made = mine("-o", "max_group=2")
    funnel = made.manifest["funnel"]
    assert [step["step"] for step in funnel] == ["one-word", *CHEAP]
    for before, step in pairwise(funnel):
        assert step["in"] == before["out"]
        assert step["in"] == step["out"] + sum(step["dropped"].values())
    assert funnel[-1]["out"] == made.manifest["rows"] == made.read().num_rows
    dropped = made.dropped()
    assert dropped.column("drop_reason").null_count == 0
    assert dropped.num_rows == sum(sum(step["dropped"].values()) for step in funnel)
    assert made.manifest["dropped"] == {"digit": 2, "few_words": 2, "template_group": 2}
    assert verify(tmp_path / "pairs") == []


@pytest.mark.engine
def test_pairs_have_every_column_and_typed_changes(mine, tmp_path):
    write_videos(tmp_path / "videos")
    pairs = mine().read()
    assert pairs.column_names[: len(PAIRS)] == PAIRS.names
    row = next(row for row in pairs.to_pylist() if (row["reference_id"], row["target_id"]) == ("v1", "v2"))
    (change,) = row["changes"]
    places = [change.pop(name) for name in ("before_phrase", "after_phrase")]
    assert change == {"kind": "static", "slot": "attribute", "before": "red", "after": "blue"}
    assert [(place["start"], place["end"], place["head"]) for place in places] == [(2, 5, "ball"), (2, 6, "ball")]
    assert (row["reference_caption"], row["target_caption"]) == ("A red ball rolls", "a blue ball rolls.")
    assert row["split"] == "train"
    assert row["text_similarity"] is None
    assert row["visual_similarity"] is None


@pytest.mark.engine
def test_a_pair_across_splits_is_dropped_before_any_text_is_written(mine, tmp_path):
    write_videos(tmp_path / "videos", splits={"v3": "test"})
    made = mine()
    assert made.manifest["dropped"]["straddles_splits"] == 4
    assert "v3" not in {*made.read()["reference_id"].to_pylist(), *made.read()["target_id"].to_pylist()}


@pytest.mark.engine
def test_parts_of_the_videos_and_their_order_do_not_matter(mine, tmp_path):
    write_videos(tmp_path / "videos", size=3)
    write_videos(tmp_path / "turned", dict(reversed(CAPTIONS.items())), size=100)
    first, second = mine(), mine(videos=tmp_path / "turned", out="turned-pairs")
    assert first.read().equals(second.read())
    assert first.dropped().equals(second.dropped())


@pytest.mark.engine
def test_the_band_is_applied_to_pairs_beside_a_dropped_group(cvr, tmp_path):
    write_videos(tmp_path / "videos")
    band = "text-similarity:low=0.99,high=1"
    words = ("-o", "max_group=2", "--filter", band)
    cvr.done("mine-pairs", tmp_path / "videos", "-O", tmp_path / "pairs", *words)
    made = open_artifact(tmp_path / "pairs")
    assert made.manifest["dropped"]["template_group"] == 2
    assert made.manifest["dropped"]["text_too_different"] > 0
    assert made.read()["text_similarity"].null_count == 0


@pytest.mark.engine
def test_a_second_run_does_nothing_and_another_filter_is_refused(mine, tmp_path, one_line_error):
    write_videos(tmp_path / "videos")
    assert mine().manifest["finished"] == mine().manifest["finished"]
    line = one_line_error("mine-pairs", tmp_path / "videos", "-O", tmp_path / "pairs", "--filter", "digits")
    assert "holds another artifact (filters = " in line
    assert "--overwrite" in line


@pytest.mark.engine
def test_the_default_filters_and_json(cvr, tmp_path):
    write_videos(tmp_path / "videos")
    outcome = cvr("mine-pairs", tmp_path / "videos", "-O", tmp_path / "pairs", "--json")
    assert all(
        0.41 <= value <= 0.976 for value in open_artifact(tmp_path / "pairs").read()["text_similarity"].to_pylist()
    )
    steps = [step["step"] for step in json.loads(outcome.out)["funnel"]]
    assert steps == ["one-word", *CHEAP[:-1], "invisible-change", "text-similarity", CHEAP[-1]]


def test_a_corpus_without_pairs_gives_an_empty_artifact(mine, tmp_path):
    write_videos(tmp_path / "videos", {"x": "something else entirely here"})
    made = mine()
    assert (made.manifest["rows"], made.read().num_rows) == (0, 0)
    assert made.read().column_names[: len(PAIRS)] == PAIRS.names
    assert mine(videos=write_videos(tmp_path / "nothing", {}), out="none").manifest["rows"] == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--strategy", "one-wrd"), "Did you mean: one-word"),
        (("-o", "max_grop=3"), "one-word: unknown option 'max_grop'. Did you mean: max_group?"),
        (("-o", "min_words=1"), "one-word: min_words must be at least 2, got 1."),
        (("--filter", "digit"), "Did you mean: digits"),
        (("--filter", "min-words:words=3"), "min-words: unknown option 'words'. Did you mean: min_words?"),
        (("--filter", "text-similarity:low=high"), "text-similarity: option low should be of type float, got 'high'."),
    ],
)
def test_a_wrong_name_or_option_is_one_line(one_line_error, tmp_path, words, expected):
    write_videos(tmp_path / "videos")
    assert expected in one_line_error("mine-pairs", tmp_path / "videos", "-O", tmp_path / "pairs", *words)
    assert not (tmp_path / "pairs").exists()


def test_videos_that_are_not_there_are_one_line(one_line_error, tmp_path):
    assert "nowhere does not exist." in one_line_error("mine-pairs", tmp_path / "nowhere", "-O", tmp_path / "pairs")


@pytest.mark.engine
def test_why_not_tells_the_verdict_on_any_two_videos(mine, cvr, tmp_path):
    write_videos(tmp_path / "videos")
    mine("-o", "max_group=2")

    def verdict(reference, target):
        return cvr("why-not", reference, target, "--in", tmp_path / "pairs").out.strip()

    assert verdict("v1", "v4").startswith("kept: 'A red ball rolls' -> 'a red cube rolls' (ball -> cube")
    assert verdict("s1", "s2").startswith(
        "dropped by min-words (few_words): 2 and 2 words, fewer than 3: 'a cat' -> 'a dog' (cat -> dog"
    )
    assert verdict("n1", "n2").startswith("dropped by digits (digit): 12 -> 13: 'clip 12 again'")
    assert verdict("f1", "f2").endswith("dropped by template_group: 'flag of _' (3 captions of 3 videos)")
    assert verdict("v1", "v2").endswith("dropped by template_group: 'a _ ball rolls' (3 captions of 3 videos)")
    assert verdict("v2", "v4").endswith("not a pair: 2 words differ, not one")
    assert verdict("v1", "x").endswith("not a pair: 4 words differ, not one")
    assert verdict("v1", "s1").endswith("not a pair: 4 words against 2")
    assert verdict("v1", "v1") == "not a pair: a video is not paired with itself"


def test_why_not_names_an_unknown_video(mine, one_line_error, tmp_path):
    write_videos(tmp_path / "videos", {"video-1": "a red ball", "video-2": "something else entirely"})
    mine()
    line = one_line_error("why-not", "video-1", "vidio-2", "--in", tmp_path / "pairs")
    assert "has no video 'vidio-2'. Did you mean: video-2" in line
    assert one_line_error("why-not", "video-1", "qqq", "--in", tmp_path / "pairs").endswith("has no video 'qqq'.")


def test_explain_tells_where_a_triplet_comes_from(cvr, one_line_error, tmp_path):
    write_texts(tmp_path)
    cvr.done("build-triplets", tmp_path / "short", "-O", tmp_path / "data")
    row = open_artifact(tmp_path / "data").read().to_pylist()[0]
    told = cvr("explain", row["triplet_id"][:10], "--in", tmp_path / "data").out
    assert f"triplet {row['triplet_id']}: kept, split {row['split']}" in told
    for piece in (row["reference_id"], row["target_id"], row["modification"], row["pair_id"], "by rules", "one-word"):
        assert piece in told
    rejected = open_artifact(tmp_path / "data").dropped().to_pylist()[0]
    told = cvr("explain", rejected["triplet_id"], "--in", tmp_path / "data").out
    assert f"dropped by {rejected['drop_reason']}" in told
    assert "rejected, copied" in told
    assert "has no triplet 'zz'" in one_line_error("explain", "zz", "--in", tmp_path / "data")
    assert "begin with ''" in one_line_error("explain", "", "--in", tmp_path / "data")
    assert "has no pair 'zz'" in one_line_error("explain", "zz", "--in", tmp_path / "pairs")


def test_explain_says_which_column_a_table_of_others_lacks(cvr, one_line_error, tmp_path):
    write_texts(tmp_path)
    cvr.done("build-triplets", tmp_path / "short", "-O", tmp_path / "data")
    triplet_id = open_artifact(tmp_path / "data").read().column("triplet_id")[0].as_py()
    for folder, column in (("pairs", "pair_id"), ("short", "status"), ("data", "query_id")):
        [part] = open_artifact(tmp_path / folder).part_paths
        whole = pq.read_table(part)
        pq.write_table(whole.drop_columns([column]), part)
        sealed(tmp_path / folder)
        assert f"column {column!r} is missing" in one_line_error("explain", triplet_id, "--in", tmp_path / "data")
        pq.write_table(whole, part)
        sealed(tmp_path / folder)


def test_explain_does_without_the_inputs(cvr, tmp_path):
    import shutil

    write_texts(tmp_path)
    cvr("build-triplets", tmp_path / "short", "-O", tmp_path / "data")
    triplet = open_artifact(tmp_path / "data").read()["triplet_id"][0].as_py()
    shutil.rmtree(tmp_path / "short")
    shutil.rmtree(tmp_path / "pairs")
    told = cvr.done("explain", triplet, "--in", tmp_path / "data")
    assert "its table is not here" in told.out
    assert "no table of pairs that is here has it" in told.out


WORDS = {
    "v6": "someone talks at the window", "v7": "grandma talks at the window",
    "v1": "a man runs on the big beach", "v2": "a man running on the big beach", "v3": "a man runs on a big beach",
    "v4": "a man swims on the big beach", "v5": "a man runz on the big beach",
    "-4wsuPCjDBc_5_15": "two cats sleep in a basket", "-4wsuPCjDBc_8_20": "two dogs sleep in a basket",
    "w": "three men talk at a small table", "x": "three women talk at a small table",
    "y": "three girls talk at a small table",
}  # fmt: skip
WORD_FILTERS = (
    "same-clip", "out-of-vocabulary:least=2", "stop-words", "grammatical-change", "part-of-speech", "direction",
    "word-cap:most=1",
)  # fmt: skip


@pytest.mark.engine
def test_filters_get_the_columns_they_ask_for_and_why_not_tells_what_they_saw(cvr, tmp_path):
    several = {f"{key}{copy}" if key[0] != "-" else key: text for key, text in WORDS.items() for copy in "ab"}
    del several["v5b"]  # a word that is in the corpus once
    write_videos(tmp_path / "videos", several)
    chosen = [word for name in WORD_FILTERS for word in ("-f", name)]
    cvr.done("mine-pairs", tmp_path / "videos", "-O", tmp_path / "pairs", *chosen, "-f", "-straddling")
    artifact = open_artifact(tmp_path / "pairs")
    funnel = artifact.manifest["funnel"]
    assert [step["step"] for step in funnel] == ["one-word", *(name.partition(":")[0] for name in WORD_FILTERS)]
    for before, step in pairwise(funnel):
        assert step["in"] == before["out"] == step["out"] + sum(step["dropped"].values())
        assert step["dropped"], step
    assert set(artifact.read().column_names) == {*PAIRS.names}

    def verdict(reference, target):
        return cvr("why-not", reference, target, "--in", tmp_path / "pairs").out

    told = cvr("why-not", "--in", tmp_path / "pairs", "--", "-4wsuPCjDBc_5_15", "-4wsuPCjDBc_8_20").out
    assert told.startswith(
        "dropped by same-clip (overlapping_clips): both of -4wsuPCjDBc: 5.0 to 15.0 s and 8.0 to 20.0 s: 'two cats"
    )
    assert verdict("v1a", "v5a").startswith(
        "dropped by out-of-vocabulary (out_of_vocabulary): in the captions: 'runz' 1 times, fewer than 2: "
    )
    assert verdict("v1a", "v2a").startswith(
        "dropped by grammatical-change (same_lemma): runs -> running: both are 'run': "
    )
    assert verdict("v1a", "v3a").startswith("dropped by stop-words (stop_word): one side of the -> a is a stop word")
    assert "passed same-clip, out-of-vocabulary, stop-words" in "".join(
        verdict(row["reference_id"], row["target_id"]) for row in artifact.read().to_pylist()
    )
    directions = [verdict("v1a", "v4a"), verdict("v4a", "v1a")]
    assert (
        sum(told.startswith("dropped by direction (other_direction_kept): the pair from v") for told in directions) == 1
    )
    capped = next(row for row in artifact.dropped().to_pylist() if row["drop_reason"] == "word_cap")
    assert "1 other pairs with the word before, or the word after, came first" in verdict(
        capped["reference_id"], capped["target_id"]
    )


@pytest.mark.engine
@pytest.mark.parametrize(
    ("strategy", "options", "expected"),
    [
        ("one-word", (), ": not a pair: "),
        ("one-phrase", (), ": not a pair: "),
        ("neighbors", ("-o", "text_encoder=hash", "-o", "low=0.99", "-o", "high=1"), "x is not among the 10 nearest"),
        ("neighbors", ("-o", "text_encoder=hash", "-o", "low=-1", "-o", "k=1"), "x is not among the 1 nearest of v1; "),
    ],
)  # fmt: skip
def test_why_not_asks_the_strategy_about_a_pair_it_never_proposed(cvr, tmp_path, strategy, options, expected):
    write_videos(tmp_path / "videos")
    cvr.done(
        "mine-pairs", tmp_path / "videos", "-O", tmp_path / "pairs", "--strategy", strategy, *options, "-f", "none"
    )
    assert expected in cvr("why-not", "v1", "x", "--in", tmp_path / "pairs").out


def names_of(*texts):
    return [chosen.name for chosen in choose_mining_filters(texts)]


def test_the_help_tells_the_default_filters(cvr):
    assert f"The default filters: {', '.join(DEFAULT_FILTERS)}." in " ".join(cvr("mine-pairs", "--help").out.split())


def test_filters_replace_add_take_out_and_leave_the_guard():
    assert names_of() == list(DEFAULT_FILTERS)
    assert names_of("none") == []
    assert names_of("digits", "min-words") == ["straddling", "digits", "min-words"]
    assert names_of("digits", "-straddling") == ["digits"]
    assert names_of("+stop-words") == [*DEFAULT_FILTERS, "stop-words"]
    assert names_of("-templates") == [name for name in DEFAULT_FILTERS if name != "templates"]


def test_a_default_filter_gets_other_options_in_its_place():
    chosen = choose_mining_filters(["+min-words:min_words=7"])
    assert [each.name for each in chosen] == list(DEFAULT_FILTERS)
    assert next(each for each in chosen if each.name == "min-words").config.min_words == 7


@pytest.mark.parametrize("texts", [("none", "digits"), ("-stop-words",), ("+no-such-filter",)])
def test_what_cannot_be_added_or_taken_out_is_refused(texts):
    with pytest.raises(CvrError):
        choose_mining_filters(texts)


def test_a_filter_on_frames_without_features_is_refused(one_line_error, tmp_path):
    write_videos(tmp_path / "videos")
    words = ("mine-pairs", tmp_path / "videos", "-O", tmp_path / "pairs", "-f", "visual-similarity")
    assert "pass --embeddings" in one_line_error(*words)
    assert not (tmp_path / "pairs").exists()
