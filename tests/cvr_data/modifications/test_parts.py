"""The stages of texts in parts: whatever the inputs are cut into, how many processes there are and what is killed."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cvr_data.core import runner
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.core.columns import check_columns
from cvr_data.core.engine import Engine
from cvr_data.core.errors import CvrError
from cvr_data.core.jobs import use_engine
from cvr_data.modifications import asked, lookup
from cvr_data.modifications.checking import score
from cvr_data.modifications.checking.judge import JudgeConfig
from cvr_data.modifications.generate import generate_modifications
from cvr_data.modifications.generator import Config
from cvr_data.tables import PAIRS, VIDEOS
from tests.dataset_folders import mined_pair

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
COLOURS = "red blue green black white pink".split()
THINGS = "wall tree bench car fence boat house bridge tent".split()
COMMON = (
    "The sun shines on rocks, shells, ropes and nets beside a wooden pier that leads far out into the calm sea. Foam "
    "covers wet stones, and tall reeds bend in the wind behind a low hill with two old mills and a narrow path."
)
SCENES = (
    "Two children in yellow coats watch from the shade. A small dog barks at the waves.",
    "An old man walks along the water with an umbrella. Grey clouds hang over distant mountains.",
    "Several sailors load wooden boxes into a boat. Gulls circle above the harbour.",
    "A farmer leads brown horses through a gate. Tall corn grows on both sides of the road.",
    "Cyclists race past a row of parked buses. Spectators wave paper flags.",
)
VERDICT = 'text={"verdict": "wrong", "reason": "so"}'


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    for module, name, value in (
        (asked, "ROWS", 9), (score, "ROWS", 9), (lookup, "BUCKET", 20), (runner, "BUCKET_VALUES", 40),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)


def write(folder, rows, schema, size, stage, inputs=None):
    with ArtifactWriter(folder, stage=stage, inputs=inputs) as writer:
        for index, start in enumerate(range(0, len(rows), size)):
            table = pa.Table.from_pylist(rows[start : start + size])
            writer.write_part(index, check_columns(table, schema, "test"))
        return writer.finish().path


def corpus(folder, size):
    """Videos, most of them with descriptions, and pairs of them of which some have their way back."""
    at = random.Random(3)
    videos: list[dict[str, Any]] = [
        {"video_id": f"v{n}", "captions": [f"a {colour} ball bounces near a {THINGS[n]}"], "source": "test",
         "description": f"A {colour} ball bounces. {COMMON} {SCENES[n % 5]}" if n % 3 else None}
        for n, colour in enumerate(at.choice(COLOURS) for _ in range(9))
    ]  # fmt: skip
    ways = at.sample([(one, other) for one in videos for other in videos if one is not other], 23)
    rows = []
    for number, (one, other) in enumerate(ways):
        captions = (one["captions"][0], other["captions"][0])
        before, after = (caption.split()[1] for caption in captions)
        change = {"kind": "static", "slot": "attribute", "before": before, "after": after}
        about = {"changes": [change] if before != after else [], "split": ["train", "test"][number % 2]}
        rows.append(mined_pair((one["video_id"], other["video_id"]), captions, **about))
    write(folder / "videos", videos, VIDEOS, size, "import-test")
    return write(folder / "pairs", rows, PAIRS, size, "mine-pairs", {"videos": folder / "videos"})


def texts(folder, name, **config):
    config = {"backend": "rules", **config}
    return generate_modifications(folder / "pairs", folder / name, Config(**config), cache=folder / "c.sqlite")


def stages(folder):
    """The files of every kind of texts and scores."""
    made = {
        "several": texts(folder, "several", num_texts=3),
        "dense": texts(folder, "dense", prompt="dense"),
        "some": texts(folder, "some", limit=7, splits=("train",)),
        "paraphrase": texts(folder, "paraphrase", prompt="paraphrase", given=folder / "several"),
        "reverse": texts(folder, "reverse", prompt="reverse", given=folder / "several", splits=("train",)),
    }
    config = score.Config(min_gain=0.1, judge=JudgeConfig(backend="echo", options=(VERDICT,)))
    scored = score.score_modifications(folder / "dense", folder / "scored", config, cache=folder / "c.sqlite")
    return {**made, "scored": scored}


def told(artifact):
    counts = ("rows", "status", "reasons", "rejected_attempts", "verdicts", "cycle_gain", "funnel")
    return {name: artifact.manifest.get(name) for name in counts} | {"files": artifact.manifest["files"]}


def test_the_cut_of_the_inputs_changes_no_byte_and_no_count(tmp_path):
    corpus(tmp_path / "whole", 1000)
    corpus(tmp_path / "cut", 5)
    one, other = stages(tmp_path / "whole"), stages(tmp_path / "cut")
    for name, artifact in one.items():
        assert told(artifact) == told(other[name]), name
        assert (
            len(artifact.part_paths) > (name != "some")
            and not verify(artifact.path)
            and not (artifact.path / ".work").exists()
        )
    assert one["several"].manifest["rows"] == 69 and one["some"].manifest["rows"] == 7
    assert one["dense"].manifest["status"]["ok"] > 5


def test_descriptions_and_captions_are_those_of_each_pair(tmp_path):
    """What is looked up in buckets, by plain reading."""
    corpus(tmp_path, 4)
    config = Config(prompt="dense", backend="echo")
    rows = [row for table in asked.read_modifications_asked(tmp_path / "pairs", config) for row in table.to_pylist()]
    described = {row["video_id"]: row["description"] for row in open_artifact(tmp_path / "videos").read().to_pylist()}
    pairs = open_artifact(tmp_path / "pairs").read()
    assert [row["pair_id"] for row in rows] == pairs.column("pair_id").to_pylist()
    for row in rows:
        sides = [described[row[f"{side}_id"]] for side in ("reference", "target")]
        assert [row["reference_description"], row["target_description"]] == sides
    assert {row["reference_description"] is None for row in rows} == {True, False}


def test_the_texts_of_a_pair_meet_wherever_the_parts_end(tmp_path):
    """Three texts of a pair and their paraphrases: no two are alike, though parts have nine rows."""
    corpus(tmp_path, 3)
    given = texts(tmp_path, "several", num_texts=3).read().to_pylist()
    said = {(row["pair_id"], row["modification"]) for row in given if row["status"] == "ok"}
    rows = texts(tmp_path, "paraphrase", prompt="paraphrase", given=tmp_path / "several").read().to_pylist()
    assert sorted(row["given_id"] for row in rows) == sorted(
        row["modification_id"] for row in given if row["status"] == "ok"
    )
    new = [(row["pair_id"], row["modification"]) for row in rows if row["status"] == "ok"]
    assert len(set(new)) == len(new) > 10 and not said & set(new)
    mined = set(open_artifact(tmp_path / "pairs").read().column("pair_id").to_pylist())
    back = texts(tmp_path, "reverse", prompt="reverse", given=tmp_path / "several").read().to_pylist()
    assert {row["reasons"] == ["pair_not_mined"] for row in back} == {True, False}
    assert all((row["pair_id"] in mined) == (row["reasons"] != ["pair_not_mined"]) for row in back)


@pytest.mark.parametrize("kind", ["dense", "echo"])
def test_two_processes_write_the_bytes_of_one(kind, tmp_path):
    config = {"prompt": "dense"} if kind == "dense" else {"backend": "echo", "num_texts": 2, "attempts": 2}
    corpus(tmp_path, 6)
    one = texts(tmp_path, "one", **config)
    with use_engine(Engine("local", workers=2)):
        assert told(texts(tmp_path, "two", **config)) == told(one)


def test_several_engines_that_each_take_a_gpu_are_refused(tmp_path):
    corpus(tmp_path, 100)
    with use_engine(Engine("local", workers=2)), pytest.raises(CvrError, match="--workers starts several engines"):
        texts(tmp_path, "out", backend="transformers")
    assert not (tmp_path / "out").exists()


def test_a_mistake_leaves_nothing_behind(tmp_path):
    corpus(tmp_path, 100)
    texts(tmp_path, "echo", backend="echo", options=("text=nonsense",), attempts=1)
    with pytest.raises(CvrError, match="no accepted text is of the pairs asked for"):
        texts(tmp_path, "out", prompt="paraphrase", given=tmp_path / "echo")
    with pytest.raises(CvrError, match="no pair is of split 'val'"):
        texts(tmp_path, "out", splits=("val",))
    assert not (tmp_path / "out").exists()


IN_PARTS_OF_TEN = "import cli; from cvr_data.modifications import asked; asked.ROWS = 10; cli.main()"


def test_a_killed_run_does_its_finished_parts_no_more(tmp_path, monkeypatch):
    corpus(tmp_path, 100)
    out, log = tmp_path / "out", tmp_path / "log.txt"
    backend = "tests.cvr_data.modifications.slow_backend"
    words = ["generate-modifications", tmp_path / "pairs", "--llm", backend, "-o", f"log={log}", "-o", "pause_s=0.05",
             "-O", out, "--cache", tmp_path / "c.sqlite", "--attempts", "1"]  # fmt: skip
    command = [sys.executable, "-c", IN_PARTS_OF_TEN, *map(str, words)]
    running = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True)
    deadline = time.monotonic() + 120
    while not list(out.glob(".work/*/00000.json")) and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL and not (out / "manifest.json").exists()
    first = (out / "part-00000.parquet").stat().st_mtime_ns
    monkeypatch.setattr(asked, "ROWS", 10)
    config = {"backend": backend, "options": (f"log={log}",), "attempts": 1}
    resumed, whole = texts(tmp_path, "out", **config), texts(tmp_path, "whole", **config)
    assert (out / "part-00000.parquet").stat().st_mtime_ns == first
    assert resumed.manifest["files"] == whole.manifest["files"] and resumed.manifest["rows"] == 23
    assert len(log.read_text(encoding="utf-8").splitlines()) <= 24 and whole.manifest["requests"]["asked"] == 0
    assert resumed.manifest["status"] == whole.manifest["status"]
