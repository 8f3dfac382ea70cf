"""items and media: what is judged together, which files may be shown, and how a mistake is told."""

import shutil

import numpy as np
import pytest
from PIL import Image

from cvr_data.media.clip import Clip
from cvr_data.media.video import probe_medium, write_mp4
from cvr_data.review.items import read_gold_for_review, read_reviewed
from cvr_data.review.media import Media, media_to_review
from cvr_data.tables import TRIPLETS, VIDEOS
from tests.dataset_folders import write_artifact, write_texts
from tests.triplet_tables import triplet


@pytest.fixture
def texts(tmp_path):
    return write_texts(tmp_path)


def test_texts_of_one_style_of_one_pair_are_judged_together(tmp_path):
    rows = [
        triplet("r", "make it blue", "t", text_similarity=0.5, split="test"),
        triplet("r", "paint it blue", "t", split="test", backend="llm"),
        triplet("r", "paint it blue", "t", split="test", backend="other"),
        triplet("r", "now the ball is blue", "t", split="test", style="dense"),
        triplet("r", "make it blue", "u", split="train"),
    ]
    folder = write_artifact(tmp_path / "triplets", "build-triplets", rows, TRIPLETS)
    items = read_reviewed(folder).items
    assert [(item.target_id, item.style, item.texts) for item in items] == [
        ("t", "short", ("make it blue", "paint it blue")),
        ("t", "dense", ("now the ball is blue",)),
        ("u", "short", ("make it blue",)),
    ]
    assert (items[0].scores, items[0].changes) == ({"text_similarity": 0.5}, ("red → blue",))
    assert [item.split for item in read_reviewed(folder, splits=("train",)).items] == ["train"]
    assert len({item.item_id for item in items}) == 3


def test_texts_that_are_no_triplets_yet_can_be_judged(texts):
    items = read_reviewed(texts).items
    assert [(item.reference_id, item.target_id) for item in items] == [("r1", "b1"), ("r1", "g1"), ("r2", "b2")]
    assert items[0].reference_caption == "a red ball"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["videos"], "holds neither triplets nor modification texts"),
        (["gone"], "gone does not exist"),
        (["short", "--split", "tset"], "no row of split tset. Did you mean: test"),
        (["short", "--overlap", "1.5"], "--overlap should be between 0 and 1, got 1.5"),
        (["short", "--gold", "bad.csv"], "bad.csv, row 2, answer: 'maybe' should be accept or reject"),
        (["short", "--gold", "short.csv"], "column 'answer' is missing"),
        (["short", "--embeddings", "videos"], "videos"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_file(texts, tmp_path, monkeypatch, one_line_error, words, message):
    monkeypatch.chdir(tmp_path)
    head = "reference_id,target_id,modification,answer\n"
    (tmp_path / "bad.csv").write_text(head + "r1,b1,make it blue,accept\nr1,b1,turn it,maybe\n")
    (tmp_path / "short.csv").write_text("reference_id,target_id,modification\nr1,b1,make it blue\n")
    assert message in one_line_error("review", *words, "--port", "0")
    if "--embeddings" not in words:
        assert not (tmp_path / "reviews").exists()


def test_a_taken_port_is_one_line(texts, tmp_path, one_line_error):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = one_line_error("review", texts, "--out", tmp_path / "r.sqlite", "--port", port)
    assert f"Cannot listen on 127.0.0.1, port {port}" in line


def test_gold_rows_keep_their_answers(tmp_path):
    path = tmp_path / "gold.csv"
    path.write_text("reference_id,target_id,modification,answer\nr,t,turn it,reject\nr,t,paint it,accept\n")
    found = read_gold_for_review(path)
    assert [(item.texts, item.answer) for item in found] == [(("turn it",), "reject"), (("paint it",), "accept")]
    assert len({item.item_id for item in found}) == 2


def media(path, *allowed):
    return Media({"v": 0}, {"v": Clip(path)}, {"v": [path.parent]}, allowed)


def test_what_browsers_do_not_play_is_made_into_mp4_once(tmp_path):
    write_mp4(tmp_path / "clip.mp4", np.zeros((6, 32, 48, 3), np.uint8))
    shutil.copy(tmp_path / "clip.mp4", tmp_path / "clip.mkv")
    shown = media(tmp_path / "clip.mkv")
    made = shown.playable(0)
    assert made.suffix == ".mp4" and made.parent != tmp_path
    assert (probe_medium(made).width, probe_medium(made).height) == (48, 32)
    assert shown.playable(0) == made
    assert media(tmp_path / "clip.mp4").playable(0) == (tmp_path / "clip.mp4").resolve()
    shown.close()
    assert not made.exists()


def test_an_image_is_shown_as_it_is_and_what_is_no_medium_is_not(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "i.png")
    (tmp_path / "notes.txt").write_text("not for the page")
    (tmp_path / "broken.mkv").write_bytes(b"nothing")
    assert (media(tmp_path / "i.png").kind(0), media(tmp_path / "i.png").playable(0).name) == ("image", "i.png")
    assert media(tmp_path / "notes.txt").path(0) is None
    assert media(tmp_path / "gone.mp4").kind(0) is None
    assert media(tmp_path / "broken.mkv").playable(0) is None
    assert media(tmp_path / "broken.mkv").strip(0) is None
    assert media(tmp_path / "i.png").path(1) is media(tmp_path / "i.png").path(-1) is None


def test_a_relative_path_that_climbs_out_of_the_dataset_is_not_served(tmp_path):
    write_mp4(tmp_path / "secret.mp4", np.zeros((2, 32, 32, 3), np.uint8))
    (tmp_path / "data" / "media").mkdir(parents=True)
    shutil.copy(tmp_path / "secret.mp4", tmp_path / "data" / "media" / "own.mp4")
    rows = [{"video_id": name, "captions": ["c"], "source": "s", "path": path}
            for name, path in (("own", "../media/own.mp4"), ("out", "../../secret.mp4"))]  # fmt: skip
    folder = write_artifact(tmp_path / "data" / "videos", "import-tiny", rows, VIDEOS)
    shown = media_to_review([folder], {"own", "out"})
    assert [shown.path(shown.number_of[name]) for name in ("own", "out")] == [None, None]
    allowed = media_to_review([folder], {"own", "out"}, [tmp_path / "data" / "media"])
    assert allowed.path(allowed.number_of["own"]) is not None
    assert allowed.path(allowed.number_of["out"]) is None
