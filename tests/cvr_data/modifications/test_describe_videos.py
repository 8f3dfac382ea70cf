"""Descriptions of real H.264 clips, by a vision-language model of random weights and by a prompt without JSON."""

import json
import shutil
from dataclasses import replace

import pytest

import cli
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.modifications.asking.request import Answer
from cvr_data.modifications.backends import BACKENDS
from cvr_data.modifications.describe_videos import Config, Describer, Description, describe_videos
from tests.tiny_language_models import save_language_model, save_vision_language_model, word_tokenizer

STOPS = ("the",)
"""Words at which the random model ends: else it writes on until there is no room."""

PROMPT = """\
summary: For tests.
source: Our own.
task: describe
user: These are $frames frames.
decoding: {max_tokens: 48}
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = save_vision_language_model(tmp_path_factory.mktemp("tiny-vlm"))
    settings = json.loads((folder / "generation_config.json").read_text())
    settings["eos_token_id"] = [settings["eos_token_id"], *(word_tokenizer().convert_tokens_to_ids(w) for w in STOPS)]
    (folder / "generation_config.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Five clips with descriptions that are true, one of them damaged."""
    folder = tmp_path_factory.mktemp("world") / "videos"
    options = ["train=3", "val=0", "test=2", "size=32", "workers=1"]
    assert cli.run(["import", "synthetic", "-O", str(folder), *(part for one in options for part in ("-o", one))]) == 0
    broken = sorted((folder / "media").rglob("*.mp4"))[0]
    broken.write_bytes(b"no video")
    return folder


@pytest.fixture
def prompt(tmp_path):
    path = tmp_path / "plain.yaml"
    path.write_text(PROMPT, encoding="utf-8")
    return str(path)


def options_of(model):
    return (f"model={model}", "device=cpu", "dtype=float32")


def test_every_clip_keeps_its_row_with_a_description_or_a_reason(world, model, prompt, tmp_path, capsys):
    command = [
        "describe-videos", str(world), "--llm", "transformers", "--prompt", prompt, "--replace", "--frames", "3",
        "--cache", str(tmp_path / "c.sqlite"), "-O", str(tmp_path / "described"),
        *(part for option in options_of(model) for part in ("-o", option)),
    ]  # fmt: skip
    assert cli.run(command) == 0
    assert "5 videos" in capsys.readouterr().out
    given, found = (open_artifact(folder).read() for folder in (world, tmp_path / "described"))
    assert found.column("video_id").to_pylist() == given.column("video_id").to_pylist()
    rows = found.to_pylist()
    assert [row["description_status"] for row in rows].count("error") == 1
    for row in rows:
        assert (row["description"] is not None) == (row["description_status"] == "ok")
        if row["description_status"] == "error":
            assert row["description_reasons"][0].startswith("unreadable: ") and "cannot be decoded" in str(row)
        elif row["description_status"] == "ok":
            assert row["description"] == " ".join(row["description_raw"].split())
            assert row["description_model"].startswith(model.name)
        else:
            assert row["description_reasons"][0] in ("too_short", "truncated") and row["description_attempts"] == 2
    assert (tmp_path / "described" / next(row["path"] for row in rows)).exists()
    again = [*command[:-7], str(tmp_path / "again"), *command[-6:]]
    assert cli.run(again) == 0
    manifest = open_artifact(tmp_path / "again").manifest
    assert manifest["requests"]["asked"] == 0 and manifest["requests"]["cached"] > 0


def test_what_the_model_sees_are_the_sampled_frames(world, model, prompt):
    """Other frames, another answer: the images reach the network."""
    config = Config(prompt=prompt, options=options_of(model), frames=2, replace=True)
    describer = Describer(config, world)
    videos = open_artifact(world).read().to_pylist()
    rows = [Description(video=video) for video in videos]
    shown = [row for row in rows if describer._is_shown(row)]
    assert len(shown) == 4 and all(len(row.images) == 2 for row in shown)
    first = describer._request(shown[0], 0)
    other = replace(first, images=shown[1].images)
    answers = dict(describer.backend.write([first, other, first]))
    assert answers[0].text == answers[2].text != answers[1].text
    assert answers[0].tokens_out > 0


def test_descriptions_that_are_there_stay(world, model, tmp_path):
    config = Config(options=options_of(model))
    artifact = describe_videos(world, tmp_path / "kept", config, cache=tmp_path / "c.sqlite")
    assert artifact.manifest["status"] == {"given": 5} and artifact.manifest["requests"]["asked"] == 0
    assert artifact.read(["description"]) == open_artifact(world).read(["description"])


def test_descriptions_below_the_floor_are_rejected(world, model, prompt, tmp_path):
    counts = {}
    for floor in (-1.0, 1.0):
        config = Config(prompt=prompt, options=options_of(model), replace=True, encoder="hash", floor=floor, frames=2)
        out = describe_videos(world, tmp_path / f"floor{floor}", config, cache=tmp_path / "c.sqlite")
        counts[floor] = out.manifest
        scores = [row["description_similarity"] for row in out.read().to_pylist()]
        assert all(score is None or -1 <= score <= 1 for score in scores)
    assert "below_floor" not in counts[-1.0]["reasons"] and counts[-1.0]["status"].get("ok", 0) > 0
    assert counts[1.0]["status"].get("ok", 0) == 0 and counts[1.0]["reasons"]["below_floor"] > 0


@pytest.mark.parametrize(
    ("raw", "text", "reason"),
    [
        ('{"description": "A small red boat drifts to the left across a calm lake."}', "A small red boat", None),
        ("A small red boat drifts to the left,\nacross a calm lake.", "drifts to the left, across", None),
        ('{"caption": "A small red boat drifts to the left across a calm lake."}', None, "schema"),
        ("A red boat.", None, "too_short"),
    ],
)
def test_an_answer_is_json_or_a_paragraph(raw, text, reason, world):
    describer = Describer(Config(), world)
    row = Description(video={})
    describer._take(row, Answer(text=raw))
    assert (row.text is None) == (text is None) and (text or "") in (row.text or "")
    assert row.reasons == ([reason] if reason else [])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"encoder": "hash"}, "give one that fits hash: --floor"),
        ({"floor": 0.3}, "A floor needs an encoder"),
        ({"prompt": "short"}, "describes no videos"),
        ({"encoder": "minilm", "floor": 0.1}, "no space that images and texts share"),
    ],
)
def test_settings_that_make_no_sense_are_refused(values, said, world):
    with pytest.raises(CvrError, match=said):
        Describer(Config(**values), world)


def test_a_model_of_texts_is_refused(world, tmp_path):
    folder = save_language_model(tmp_path / "text")
    config = Config(options=options_of(folder), replace=True)
    with pytest.raises(CvrError, match="takes no images in a chat"):
        describe_videos(world, tmp_path / "out", config, cache=tmp_path / "c.sqlite")
    with pytest.raises(CvrError, match="name a vision-language model"):
        describe_videos(world, tmp_path / "other", replace(config, options=()), cache=tmp_path / "c.sqlite")


def test_an_interrupted_run_resumes(world, tmp_path):
    """A backend that needs no cache, stopped after nothing: the same folder is finished by the same command."""
    assert BACKENDS.get("echo")
    config = Config(backend="echo", replace=True)
    first = describe_videos(world, tmp_path / "out", config, cache=tmp_path / "c.sqlite")
    (first.path / "manifest.json").rename(first.path / "running.json")
    second = describe_videos(world, tmp_path / "out", config, cache=tmp_path / "c.sqlite")
    assert second.manifest["files"] == first.manifest["files"]
    shutil.rmtree(second.path)
