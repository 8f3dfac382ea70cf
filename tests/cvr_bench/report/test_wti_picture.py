"""cvr show-wti: the numbers are those retrieval ranks by, and the picture shows every token and frame."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

import cli
from cvr_bench.benchmarks import msrvtt
from cvr_bench.models import MODELS
from cvr_bench.models.parts.trained import load_model_checkpoint
from cvr_bench.report.wti_matches import Matches, report_wti_matches, report_wti_token_names
from cvr_bench.report.wti_picture import TO_FRAME, TO_TOKEN, report_wti_picture
from cvr_bench.results.result import read_result
from cvr_bench.tasks.task import Item, Query
from cvr_data.features.encoders import ENCODERS
from cvr_data.media.video import Video, write_mp4
from tests.feature_folders import embed_ids

pytestmark = pytest.mark.slow

TEXT = "a dog runs on snow"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with drl, trained and scored on a few made-up videos, in `results` and their features in `emb`."""
    folder = tmp_path_factory.mktemp("wti")
    names = [f"video{number}" for number in range(12)]
    (folder / "files").mkdir()
    sentences = [{"video_id": name, "caption": f"walk of {name}"} for name in names]
    videos = [{"video_id": name, "split": "train"} for name in names]
    (folder / "files" / "MSRVTT_data.json").write_text(json.dumps({"videos": videos, "sentences": sentences}))
    (folder / "files" / msrvtt.TEST_LIST).write_text("video_id,sentence\nvideo10,a walk\nvideo11,a run")
    (folder / "files" / "MSRVTT_train.7k.csv").write_text("\n".join(["video_id", *names[:10]]))
    embed_ids(folder, names, dim=8)
    common = f"--data msrvtt -D counts=any -D annotations={folder / 'files'} -e {folder / 'emb'} --no-audit"
    arguments = f"bench --model drl -o positions=8 -t epochs=1 -t batch_size=4 {common} --out {folder / 'results'}"
    assert cli.run(arguments.split()) == 0
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A clip of four frames."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    draw = np.random.default_rng(0)
    write_mp4(path, np.repeat(draw.integers(0, 256, (4, 8, 8, 3), dtype=np.uint8), 8, axis=1).repeat(8, axis=2))
    return path


def test_the_score_is_that_of_retrieval(trained):
    result = trained / "results" / "drl-msrvtt"
    found = report_wti_matches(TEXT, "video3", result)
    stored = ENCODERS.get("stored").load(ENCODERS.config("stored", {"embeddings": str(trained / "emb")}))
    component = MODELS.get("drl")
    retriever = component.load(component.Config(**read_result(result).record["options"]), stored)
    load_model_checkpoint(retriever, result, stored)
    retriever.index([Item("video3", Video("video3"))])
    assert float(retriever.score([Query("q", None, TEXT)])) == pytest.approx(found.score, abs=1e-5)
    assert found.words == TEXT.split()
    assert float(found.token_weights_L.sum()) == pytest.approx(1) == float(found.frame_weights_T.sum())


def test_a_file_is_drawn_with_its_frames(cvr, trained, clip, tmp_path):
    result = trained / "results" / "drl-msrvtt"
    outcome = cvr("show-wti", TEXT, clip, "--checkpoint", result, "-O", tmp_path / "wti.png", "--json")
    assert outcome.code == 0, outcome.err
    content = json.loads(outcome.out)
    assert [row["token"] for row in content["tokens"]] == TEXT.split()
    assert len(content["frame_weights"]) == 2  # of the four frames, those that the features were made of
    assert len(report_wti_matches(TEXT, str(clip), result).thumbnails) == 2
    assert Image.open(io.BytesIO((tmp_path / "wti.png").read_bytes())).format == "PNG"


def test_every_token_and_frame_has_its_bar_and_its_line():
    matches = Matches(
        "a b", "v1", ["a", "b"], torch.tensor([0.9, 0.1]), torch.tensor([0.5, 0.25, 0.25]),
        torch.tensor([[0.9, 0.1, 0.0], [0.0, 0.2, 0.8]]), [],
    )  # fmt: skip
    picture = np.array(Image.open(io.BytesIO(report_wti_picture(matches))))
    assert matches.score == pytest.approx((0.9 * 0.9 + 0.1 * 0.8 + 0.5 * 0.9 + 0.25 * 0.2 + 0.25 * 0.8) / 2)
    token_bars = (picture[120] == TO_FRAME).all(axis=-1)  # at the height where only the heavy token has its bar
    assert token_bars.sum() == 21
    assert all((picture == colour).all(axis=-1).any() for colour in (TO_FRAME, TO_TOKEN))


def test_a_long_text_and_a_long_word_fit():
    count = 77
    matches = Matches(
        "x", "v1", ["incomprehensibilities"] * count, torch.full((count,), 1 / count), torch.ones(1),
        torch.zeros(count, 1), [],
    )  # fmt: skip
    assert Image.open(io.BytesIO(report_wti_picture(matches))).width > count * 70


def test_tokens_that_cannot_be_told_are_numbered():
    assert report_wti_token_names({"name": "unknown"}, "a dog", 3) == ["token 1", "token 2", "token 3"]
    assert report_wti_token_names({"name": "minilm"}, "a dog", 4) == ["[CLS]", "a", "dog", "[SEP]"]


def test_what_cannot_be_drawn_is_one_line(one_line_error, trained):
    checkpoint = trained / "results" / "drl-msrvtt"
    message = one_line_error("show-wti", TEXT, "video99", "--checkpoint", checkpoint)
    assert "video99 is neither a file nor a video with features" in message
    other = (
        f"bench --model text-only --data msrvtt -D counts=any -D annotations={trained / 'files'} -e {trained / 'emb'}"
    )
    assert cli.run([*other.split(), "--no-audit", "--out", str(trained / "others")]) == 0
    message = one_line_error("show-wti", TEXT, "video3", "--checkpoint", trained / "others" / "text-only-msrvtt")
    assert "is of text-only; tokens and frames are matched by drl with wti or ti" in message
