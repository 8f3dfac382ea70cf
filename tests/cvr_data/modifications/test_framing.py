"""Frames by language models: a server's, a tiny model's of this machine, answers from the cache; faults are rows."""

import json

import pyarrow as pa
import pytest

import cli
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.runner import StageRun
from cvr_data.modifications.asking.cache import RequestCache
from cvr_data.modifications.asking.request import Answer, request_key
from cvr_data.modifications.framing import FRAMES, Config, FrameWriter, Written
from cvr_data.pairs.frames_by import FewFrames, mining_frames_side
from tests.dataset_folders import write_artifact
from tests.llm_server import Fault, LLMServer
from tests.mined_pairs import captioned
from tests.tiny_language_models import save_language_model

CAPTIONS = {"v0": "a red car drives down a road", "v1": "a blue car drives down a road",
            "v2": "a green car drives down a road", "v3": "a white car drives down a road",
            "v4": "a black car drives down a road"}  # fmt: skip
PROMPT = """\
summary: For tests.
source: Our own.
task: frames
user: $caption
schema: {type: object, properties: {things: {type: array}}, required: [things]}
decoding: {max_tokens: 8}
"""


def frame_of_car(caption: str, **more) -> str:
    colour = caption.split()[1]
    return json.dumps({
        "things": [{"noun": "car", "attributes": [colour]}], "scenes": [{"noun": "road", "kind": "place",
                                                                           "attributes": []}],
        "actions": [{"verb": "drives down", "agent": "car", "object": more.get("object", "")}],
    })  # fmt: skip


def answered(prompt: str) -> str:
    caption = prompt.rsplit("Caption:", 1)[-1].split("\n")[0].strip()
    if "green" in caption:
        return "I'm sorry, but I cannot see the video."
    return frame_of_car(caption, object="hat" if "white" in caption else "")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_language_model(tmp_path_factory.mktemp("tiny-lm"))


@pytest.fixture
def videos(tmp_path):
    table = captioned({name: [said] for name, said in CAPTIONS.items()})
    return write_artifact(tmp_path / "videos", "import-test", table)


def mine(videos, *words):
    return cli.run([
        "mine-pairs", str(videos), "--strategy", "concept", "-f", "none", "-O", str(videos.parent / "pairs"),
        "--cache", str(videos.parent / "cache.sqlite"), "-o", "min_rarity=0", *words,
    ])  # fmt: skip


def rows_of(folder):
    return {row["caption"]: row for row in open_artifact(folder).read().to_pylist()}


def test_a_server_reads_the_captions_and_a_fault_is_a_row(videos, capsys):
    fault = [Fault(status=400)] * 2
    with LLMServer(faults={"black": fault}, answer=answered) as server:
        assert mine(videos, "--frames-by", "openai", "-o", "model=m", "-o", f"base_url={server.url}") == 0
        asked = len(server.bodies)
    assert "3 ok" in capsys.readouterr().err
    rows = rows_of(videos.parent / "pairs-frames")
    statuses = {row["caption"].split()[1]: (row["status"], row["dropped_words"]) for row in rows.values()}
    assert statuses == {
        "red": ("ok", 0), "blue": ("ok", 0), "white": ("ok", 1), "green": ("rejected", 0), "black": ("error", 0)
    }  # fmt: skip
    assert rows[CAPTIONS["v2"]]["reasons"] == ["refusal"] and rows[CAPTIONS["v2"]]["frame"] is None
    assert rows[CAPTIONS["v3"]]["reasons"] == ["words_not_in_caption"]
    assert json.loads(rows[CAPTIONS["v0"]]["frame"])["things"] == [{"noun": "car", "attributes": ["red"]}]
    pairs = open_artifact(videos.parent / "pairs").read().to_pylist()
    found = {(row["reference_id"], row["target_id"]) for row in pairs}
    assert {("v0", "v1"), ("v1", "v3")} <= found and not {"v2", "v4"} & {name for pair in found for name in pair}
    change = pairs[0]["changes"][0]
    assert change["slot"] == "attribute" and change["before_phrase"]["head"] == "car"
    assert asked <= 5 + 4, "each caption is asked once, and again where it had no frame"
    for other, why in (("v2", "no frame came of 'a green car drives down a road'"), ("v4", "no frame came of")):
        assert cli.run(["why-not", "v0", other, "--in", str(videos.parent / "pairs")]) == 0
        assert why in capsys.readouterr().out, "by the frames that were told, not by the rules"


def test_frames_are_found_among_many_by_their_captions(videos, tmp_path):
    """Rows lie by a hash of their captions; those asked for are found, and what is not there is not."""
    said = sorted(CAPTIONS.values())
    frames = {text: frame_of_car(text) for text in said[:4]} | {said[4]: None}
    rows = [{"caption": text, "frame": told, "status": "ok", "reasons": [], "dropped_words": 0, "raw": None,
             "model": "m"} for text, told in frames.items()]  # fmt: skip
    with ArtifactWriter(tmp_path / "told", stage="write-frames") as writer:
        for part, at in enumerate((3, 0, 4, 1, 2)):
            writer.write_part(part, pa.Table.from_pylist([rows[at]], schema=FRAMES))
        writer.finish()
    asked = [said[4], "zz", said[0], "", said[2], said[0] + "!", said[2]]
    with StageRun(tmp_path / "run", stage="test", version=1, config={}, inputs={}, overwrite=False) as run:
        side = mining_frames_side(run, tmp_path / "told")
        stored = side.load(*side.arguments)
        found = stored.frames_of(asked)
        assert stored.frames_of([]) == {} and set(stored.frames_of(said)) == set(said)
    few = FewFrames(tmp_path / "told").frames_of(asked)
    assert found.keys() == few.keys() == {said[0], said[2], said[4]} and found[said[4]] is None
    assert [thing.name for thing in found[said[0]].things] == [thing.name for thing in few[said[0]].things] != []


def test_captions_of_which_no_frame_came_locate_no_change(videos):
    with LLMServer(answer=answered) as server:
        command = ["mine-pairs", str(videos), "-O", str(videos.parent / "words"), "-f", "invisible-change",
                   "--cache", str(videos.parent / "cache.sqlite"), "--frames-by", "openai", "-o", "model=m",
                   "-o", f"base_url={server.url}"]  # fmt: skip
        assert cli.run(command) == 0
    artifact = open_artifact(videos.parent / "words")
    pairs = artifact.read().to_pylist()
    assert all(change["slot"] == "attribute" for row in pairs for change in row["changes"]) and len(pairs) == 12
    assert artifact.manifest["dropped"] == {"no_frame": 8}
    assert artifact.input_path("frames") == videos.parent / "words-frames"


@pytest.mark.engine
def test_a_tiny_model_is_asked_and_answers_of_the_cache_make_pairs(videos, model, tmp_path):
    """Random weights write no JSON: each caption keeps a row that says so. Stored answers are taken unasked."""
    prompt = tmp_path / "brief.yaml"
    prompt.write_text(PROMPT, encoding="utf-8")
    options = (f"model={model}", "device=cpu", "dtype=float32")
    command = ("--frames-by", "transformers", "--prompt", str(prompt), *(part for o in options for part in ("-o", o)))
    assert mine(videos, *command) == 0
    rows = rows_of(tmp_path / "pairs-frames")
    assert {row["status"] for row in rows.values()} == {"rejected"} and all(row["raw"] for row in rows.values())
    manifest = open_artifact(tmp_path / "pairs-frames").manifest
    assert manifest["requests"]["asked"] == 10 and manifest["requests"]["failed"] == 0
    assert open_artifact(tmp_path / "pairs").manifest["dropped"] == {"no_concepts": 5}
    writer = FrameWriter(Config(backend="transformers", options=options, prompt=str(prompt)))
    with RequestCache(tmp_path / "stored.sqlite") as cache:
        for caption in CAPTIONS.values():
            key = request_key(writer.asker.backend.model, writer._request(Written(caption=caption), 0))
            cache.put(key, writer.asker.backend.model, Answer(text=f"Sure: {frame_of_car(caption)}"))
    assert mine(videos, *command, "--overwrite", "--cache", str(tmp_path / "stored.sqlite")) == 0
    manifest = open_artifact(tmp_path / "pairs-frames").manifest
    assert manifest["requests"]["asked"] == 0 and manifest["status"] == {"ok": 5}
    assert open_artifact(tmp_path / "pairs").manifest["rows"] == 20
