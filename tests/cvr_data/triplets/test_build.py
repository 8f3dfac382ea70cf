"""build-triplets: the folder it writes, what it follows, and how it says what is wrong."""

import json
import shutil
from dataclasses import replace

import pyarrow as pa
import pytest
import torch

from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.core.columns import with_column
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import hash as hash_encoder
from cvr_data.features.frame_scores import with_frame_scores
from cvr_data.formats import huggingface, parquet, webvid_covr
from cvr_data.media.video import Video
from cvr_data.tables import CHANGE_PHRASES
from cvr_data.triplets.build import build_triplets, find_triplet_parts, triplet_dataset_name, triplets_with_tests
from cvr_data.triplets.join import Config
from tests.dataset_folders import MODIFICATIONS, PAIRS, VIDEOS, mined_pair, ruled_text, write_artifact, write_texts
from tests.triplet_tables import triplets


@pytest.fixture
def texts(tmp_path):
    return write_texts(tmp_path)


def build(texts, out, **options):
    return build_triplets(find_triplet_parts([texts]), out, Config(**options), name="tiny")


def test_the_folder_holds_triplets_csvs_statistics_and_a_card(texts, tmp_path):
    artifact = build(texts, tmp_path / "out")
    names = {path.name for path in artifact.path.iterdir()}
    assert names == {"part-00000.parquet", "dropped-00000.parquet", "manifest.json", "README.md", "statistics.json",
                     "webvid_covr_train.csv", "webvid_covr_test.csv"}  # fmt: skip
    assert artifact.manifest["rows"] == 3
    assert artifact.manifest["dropped"] == {"copied": 1}
    assert verify(artifact.path) == []
    from_csv = webvid_covr.read(webvid_covr.Config(), artifact.path)
    assert set(from_csv["triplet_id"].to_pylist()) == set(artifact.read()["triplet_id"].to_pylist())
    assert json.loads((artifact.path / "statistics.json").read_text())["all"]["triplets"] == 3


def test_the_funnel_starts_at_the_videos(texts, tmp_path):
    funnel = build(texts, tmp_path / "out").manifest["funnel"]
    assert [(step["stage"], step["in"], step["out"]) for step in funnel] == [
        ("import-tiny", 5, 5), ("mine-pairs", 4, 4), ("generate-modifications", 4, 4), ("build-triplets", 4, 3),
        ("build-triplets", 3, 3), ("build-triplets", None, 3), ("build-triplets", 3, 3),
    ]  # fmt: skip
    assert [(step["step"], step["dropped"]) for step in funnel[3:]] == [
        ("texts", {"copied": 1}), ("splits", {}), ("answers", {}), ("duplicates", {}),
    ]  # fmt: skip


def test_the_same_inputs_give_the_same_bytes(texts, tmp_path):
    first, second = build(texts, tmp_path / "one"), build(texts, tmp_path / "two")
    assert first.key == second.key
    assert first.manifest["files"] == second.manifest["files"]


def test_a_second_run_changes_nothing_and_another_config_is_refused(texts, tmp_path):
    before = build(texts, tmp_path / "out").manifest
    assert build(texts, tmp_path / "out").manifest == before
    with pytest.raises(CvrError, match="holds another artifact"):
        build(texts, tmp_path / "out", max_per_text=1)


def test_texts_of_several_folders_are_joined(texts, tmp_path):
    other = write_texts(tmp_path, style="dense", verb="change its colour to")
    sources = find_triplet_parts([texts, other])
    assert len(sources.pairs) == 1
    artifact = build_triplets(sources, tmp_path / "out", Config(), name="tiny")
    assert sorted(artifact.read()["style"].to_pylist()) == ["dense"] * 3 + ["short"] * 3
    assert list(artifact.manifest["inputs"]) == ["modifications", "modifications-2", "pairs", "videos"]


def test_the_name_is_that_of_the_videos_or_of_the_corpus(texts, tmp_path):
    assert (
        triplet_dataset_name(find_triplet_parts([texts])) == "tiny"
    )  # the folder is called videos, the stage import-tiny
    shutil.copytree(tmp_path / "videos", tmp_path / "my_clips")
    assert triplet_dataset_name(find_triplet_parts([texts], videos=tmp_path / "my_clips")) == "my_clips"


def test_a_moved_input_is_named_with_the_way_out(texts, tmp_path):
    (tmp_path / "videos").rename(tmp_path / "elsewhere")
    with pytest.raises(CvrError, match="pass --videos with its new place"):
        find_triplet_parts([texts])
    assert find_triplet_parts([texts], videos=tmp_path / "elsewhere").videos == (tmp_path / "elsewhere",)


def test_no_triplet_left_says_why(texts, tmp_path, cvr):
    rejected = open_artifact(texts).read().slice(3).to_pylist()
    bad = write_artifact(tmp_path / "bad", "generate-modifications", rejected, MODIFICATIONS, pairs=tmp_path / "pairs")
    assert build(bad, tmp_path / "out").manifest["rows"] == 0
    outcome = cvr("build-triplets", bad, "--out", tmp_path / "other")
    assert (outcome.code, outcome.err) == (0, "")
    assert "nothing is left: 'texts' dropped all 1 rows that it got (1 copied); try: " in outcome.out


def test_the_command_builds_where_it_says(texts, tmp_path, cvr, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = cvr("build-triplets", texts)
    assert (outcome.code, outcome.err) == (0, "next: cvr bench --model sum --data annotations/tiny -e EMBEDDINGS\n")
    assert outcome.out == "annotations/tiny: 3 triplets, dropped: copied 1\n"
    assert (tmp_path / "annotations" / "tiny" / "README.md").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["build-triplets", "gone"], "gone does not exist"),
        (["build-triplets", "short", "-o", "max_per_txt=3"], "Did you mean: max_per_text"),
        (["build-triplets", "short", "-o", "max_per_text=-3"], "max_per_text must be"),
        (["build-triplets", "videos"], "was not made from 'pairs'"),
        (["build-triplets", "short", "--pairs", "videos"], "column 'pair_id' is missing"),
    ],
)
def test_a_mistake_is_one_line(texts, tmp_path, one_line_error, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    assert message in one_line_error(*words)


def test_frame_scores_are_cosines_of_text_and_frames():
    table = triplets(("a", "make it blue", "b"), ("a", "turn", "c"), ("b", "make it blue", "missing"))
    encoder = hash_encoder.load(hash_encoder.TINY)
    scored = with_frame_scores(table, encoder, ["a", "b", "c"])
    assert scored.schema == table.schema
    found = scored["frame_scores"].to_pylist()
    assert found[2] is None
    for row, (text, target) in enumerate([("make it blue", "b"), ("turn", "c")]):
        frames_TD = encoder.encode_videos([Video(target)]).frames_BTD[0]
        text_D = encoder.encode_texts([text]).pooled_BD[0]
        expected = [float(torch.dot(frame_D, text_D)) for frame_D in frames_TD]
        assert found[row] == pytest.approx(expected, abs=6e-5)


def test_embeddings_give_frame_scores(texts, tmp_path, cvr):
    cvr.done("embed", tmp_path / "videos", "--encoder", "hash", "-O", tmp_path / "embeddings")
    cvr.done("build-triplets", texts, "--embeddings", tmp_path / "embeddings", "-O", tmp_path / "out")
    artifact = open_artifact(tmp_path / "out")
    assert artifact.input_path("embeddings").resolve() == (tmp_path / "embeddings").resolve()
    encoder = hash_encoder.load(hash_encoder.Config())
    for row in artifact.read().to_pylist():
        path = tmp_path / "media" / f"{row['target_id']}.mp4"
        video = Video(row["target_id"], path if path.exists() else None)
        frames_TD = encoder.encode_videos([video]).frames_BTD[0]
        text_D = encoder.encode_texts([row["modification"]]).pooled_BD[0]
        assert row["frame_scores"] == pytest.approx((frames_TD @ text_D).tolist(), abs=2e-3)  # stored as float16


def write_test_corpus(folder, *, group=None, **about):
    """Write a corpus of two videos and a text for their pair; both are in its train split."""
    about_pair = {"pair_id": "p" * 16, "strategy": "given", "split": "train", "reference_group_id": group or "t1"}
    pair = mined_pair(("t1", "r2"), ("a tin box", "a red box"), **about_pair)
    text = ruled_text("p" * 16, "make it red", modification_id="m" * 16)
    rows = [{"video_id": name, "captions": ["a box"], "source": "other", **about} for name in ("t1", "r2")]
    videos = write_artifact(folder / "videos", "import-other", rows, VIDEOS)
    pairs = write_artifact(folder / "pairs", "mine-pairs", [pair], PAIRS, videos=videos)
    return write_artifact(folder / "texts", "generate-modifications", [text], MODIFICATIONS, pairs=pairs)


def reasons_by_ends(artifact):
    rows = artifact.dropped().to_pylist()
    return {(row["reference_id"], row["target_id"]): row["drop_reason"] for row in rows}


def test_a_test_source_gives_the_test_triplets_alone(texts, tmp_path):
    sources = triplets_with_tests(find_triplet_parts([texts]), [write_test_corpus(tmp_path / "other")])
    artifact = build_triplets(sources, tmp_path / "out", Config(), name="tiny")
    kept = {(row["reference_id"], row["target_id"]): row["split"] for row in artifact.read().to_pylist()}
    assert kept == {("r1", "b1"): "train", ("r1", "g1"): "train", ("t1", "r2"): "test"}
    assert reasons_by_ends(artifact) == {("r2", "b2"): "not_of_test_source", ("b2", "r2"): "copied"}
    assert set(artifact.manifest["inputs"]) == {
        "modifications", "modifications-2", "pairs", "pairs-2", "videos", "videos-2",
    }  # fmt: skip
    assert verify(artifact.path) == []


def test_training_triplets_that_share_a_video_or_group_with_the_test_are_dropped(texts, tmp_path):
    train = open_artifact(tmp_path / "pairs").read().to_pylist()
    train[0]["target_group_id"] = "twins"  # r1 -> b1
    train[2]["split"] = train[3]["split"] = "val"  # r2 -> b2; the test uses r2
    pairs = write_artifact(tmp_path / "grouped", "mine-pairs", train, PAIRS, videos=tmp_path / "videos")
    tests = [write_test_corpus(tmp_path / "other", group="twins")]
    sources = triplets_with_tests(find_triplet_parts([texts], pairs=pairs), tests)
    artifact = build_triplets(sources, tmp_path / "out", Config(), name="tiny")
    assert [row["split"] for row in artifact.read().to_pylist()] == ["test", "train"]
    shared = {("r1", "b1"): "shares_test_video", ("r2", "b2"): "shares_test_video", ("b2", "r2"): "copied"}
    assert reasons_by_ends(artifact) == shared


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"url": "https://youtu.be/9lZi22qLlEo"}, {"recording_id": "9lZi22qLlEo"}),
        ({"content_sha256": "ab"}, {"content_sha256": "ab"}),
    ],
)
def test_training_triplets_of_a_recording_or_file_of_the_test_are_dropped_whatever_corpus_they_are_of(
    texts, tmp_path, ours, theirs
):
    rows = [
        {**row, **(ours if row["video_id"] == "g1" else {})}
        for row in open_artifact(tmp_path / "videos").read().to_pylist()
    ]
    videos = write_artifact(tmp_path / "told", "import-tiny", rows, VIDEOS)
    sources = triplets_with_tests(
        find_triplet_parts([texts], videos=videos), [write_test_corpus(tmp_path / "other", **theirs)]
    )
    found = reasons_by_ends(build_triplets(sources, tmp_path / "out", Config(), name="tiny"))
    assert found[("r1", "g1")] == "shares_test_video"
    assert ("r1", "b1") not in found


def test_texts_cannot_be_training_and_test_source_at_once(texts):
    with pytest.raises(CvrError, match="cannot give the training and the test triplets"):
        triplets_with_tests(find_triplet_parts([texts]), [texts])


def test_phrases_of_changes_go_from_pairs_to_triplets_and_their_exports(texts, tmp_path):
    phrase = {"start": 2, "end": 5, "head": "ball", "number": "singular", "determiner": "a"}
    pairs = find_triplet_parts([texts]).pairs[0]
    table = open_artifact(pairs).read()
    changes = [[{**change, "before_phrase": phrase, "after_phrase": None} for change in row]
               for row in table["changes"].to_pylist()]  # fmt: skip
    table = with_column(table, pa.field("changes", pa.list_(CHANGE_PHRASES)), changes)
    write_artifact(tmp_path / "typed", "mine-pairs", table, PAIRS, videos=texts.parent / "videos")
    parts = replace(find_triplet_parts([texts]), pairs=(tmp_path / "typed",))
    built = build_triplets(parts, tmp_path / "out", Config(), name="tiny").read()
    assert {row[0]["before_phrase"]["head"] for row in built["changes"].to_pylist()} == {"ball"}
    for layout in (parquet, huggingface):
        layout.write(layout.Config(), built, tmp_path / layout.__name__)
        again = layout.read(layout.Config(), tmp_path / layout.__name__)
        assert again.sort_by("triplet_id")["changes"].to_pylist() == built.sort_by("triplet_id")["changes"].to_pylist()
