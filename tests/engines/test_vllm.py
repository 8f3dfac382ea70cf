"""The real vLLM with SmolLM2: the offline engine and a server that is killed in the middle. `make test-engines`."""

import importlib.util
import json
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.tables import VIDEOS
from tests.ball_pairs import write_ball_pairs
from tests.engines.vllm_server import ENVIRONMENT, VllmServer

if importlib.util.find_spec("vllm") is None:
    pytest.skip(
        "vLLM is not installed here; `make test-engines` makes an environment that has it", allow_module_level=True
    )

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]
CVR = Path(sys.executable).with_name("cvr")
MAKE_ADAPTER = """
import sys, torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM
from cvr_data.modifications.engines.smollm2 import smollm2_folder
torch.manual_seed(0)
chosen = LoraConfig(r=4, lora_alpha=1, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
model = AutoModelForCausalLM.from_pretrained(smollm2_folder(), dtype=torch.bfloat16)
get_peft_model(model, chosen).save_pretrained(sys.argv[1])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engines")
    write_ball_pairs(folder / "pairs", 24)
    return folder


def generate(folder: Path, out: str, *words: str) -> dict:
    """Run the command in a process of its own and return the manifest."""
    command = [CVR, "generate-modifications", folder / "pairs", "-O", folder / out, "--json", *words]
    done = subprocess.run(list(map(str, command)), env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout[done.stdout.index("{") :])


def rows_of(folder: Path) -> list[dict]:
    return open_artifact(folder).read().to_pylist()


def test_the_offline_engine_writes_texts_and_a_seed_repeats_them(folder):
    sampled = ("--llm", "vllm", "-o", "max_model_len=1024", "--temperature", "0.8", "--top-k", "50", "--attempts", "2")
    first = generate(folder, "first", *sampled, "--cache", folder / "one.sqlite")
    generate(folder, "second", *sampled, "--cache", folder / "two.sqlite")
    rows = rows_of(folder / "first")
    assert len(rows) == 24 and Counter(row["status"] for row in rows)["ok"] >= 12, rows
    assert first["requests"]["tokens_out"] > 0 and first["requests"]["failed"] == 0
    assert [row["raw"] for row in rows] == [row["raw"] for row in rows_of(folder / "second")]
    again = generate(folder, "third", *sampled, "--cache", folder / "one.sqlite")
    assert again["requests"]["asked"] == 0
    assert rows_of(folder / "third") == rows


def test_an_adapter_is_loaded_and_answers_keep_to_the_schema(folder):
    subprocess.run([sys.executable, "-c", MAKE_ADAPTER, folder / "adapter"], env=ENVIRONMENT, check=True)
    manifest = generate(folder, "dense", "--style", "dense", "--limit", "3", "--attempts", "1", "--llm", "vllm",
                        "-o", f"lora={folder / 'adapter'}", "-o", "max_model_len=2048",
                        "--cache", folder / "dense.sqlite")  # fmt: skip
    assert " lora=adapter@" in manifest["config"]["model"]
    rows = rows_of(folder / "dense")
    assert len(rows) == 3 and all(row["status"] != "error" for row in rows)
    whole = [row for row in rows if row["tokens_out"] < 200]  # one that reached the limit ends in the middle
    assert all(set(json.loads(row["raw"])) == {"modification"} for row in whole)
    assert all(row["raw"].startswith('{"modification":"') for row in rows)


def test_the_offline_engine_reads_captions_as_frames_and_keeps_to_the_schema(folder):
    colours = ("red", "blue", "green", "white")
    rows = [{"video_id": name, "captions": [f"a {name} car drives down a road"], "source": "test"} for name in colours]
    with ArtifactWriter(folder / "videos", stage="import-test") as writer:
        table = pa.Table.from_pylist(rows, schema=pa.schema(list(VIDEOS)[:3]))
        writer.write_part(0, check_columns(table, VIDEOS, "test"))
        writer.finish()
    command = [CVR, "mine-pairs", folder / "videos", "--strategy", "concept", "-O", folder / "by-frames", "--json",
               "--frames-by", "vllm", "-o", "max_model_len=4096", "--cache", folder / "frames.sqlite"]  # fmt: skip
    done = subprocess.run(list(map(str, command)), env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told = open_artifact(folder / "by-frames-frames").read().to_pylist()
    assert sorted(row["caption"] for row in told) == sorted(row["captions"][0] for row in rows)
    assert all(row["status"] == "ok" or "truncated" in row["reasons"] for row in told), told
    assert any(row["status"] == "ok" for row in told), told
    assert all(set(json.loads(row["frame"])) == {"things", "scenes", "actions"} for row in told if row["frame"])


@pytest.fixture
def server(folder):
    from cvr_data.modifications.engines.smollm2 import smollm2_folder

    options = ("--dtype", "bfloat16", "--max-model-len", "1024", "--no-enable-chunked-prefill")
    running = VllmServer(smollm2_folder(), "smol", *options, log=folder / "server.log")
    running.start()
    yield running
    running.kill()


def test_a_server_killed_in_the_middle_costs_no_row(folder, server):
    server.wait()
    cache = folder / "server.sqlite"
    command = [CVR, "generate-modifications", folder / "pairs", "-O", folder / "served",
               "--json", "--llm", "openai", "-o", "model=smol", "-o", f"base_url=http://127.0.0.1:{server.port}/v1",
               "-o", "form=completion", "-o", "concurrency=2", "-o", "retries=20", "--attempts", "2",
               "--cache", cache]  # fmt: skip
    running = subprocess.Popen(
        list(map(str, command)), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while answered(cache) < 4 and running.poll() is None:
        time.sleep(0.02)
    server.kill()
    assert answered(cache) < 24 and running.poll() is None, "it was over before the server could be killed"
    server.start()
    _, err = running.communicate(timeout=400)
    assert running.returncode == 0, err[-3000:]
    rows = rows_of(folder / "served")
    ids = [row["pair_id"] for row in rows]
    assert ids == [row["pair_id"] for row in rows_of(folder / "pairs")] and len(set(ids)) == 24
    assert all(row["reasons"] for row in rows if row["status"] != "ok")
    assert Counter(row["status"] for row in rows)["ok"] >= 12, rows


def answered(cache: Path) -> int:
    if not cache.exists():
        return 0
    with sqlite3.connect(cache) as opened:
        try:
            return opened.execute("SELECT count(*) FROM answers").fetchone()[0]
        except sqlite3.OperationalError:
            return 0


def test_the_offline_engine_tells_how_likely_words_are():
    """By its own tokens and log-probabilities: near what transformers computes with the same weights."""
    compare = """
import json
from cvr_data.modifications.asking.choices import answer_log_odds
from cvr_data.modifications.asking.request import Change, Message, Parameters, Request
from cvr_data.modifications.backends import load_backend
texts = ["Is snow white? Answer yes or no.", "Is coal white? Answer yes or no.", "Is a dog a plant? Answer yes or no."]
asked = [Request(pair_id="", style="", change=Change(kind="", slot="", before="", after=""), lead="Answer:",
                 messages=(Message("user", text),), choices=("yes", "no"), parameters=Parameters(max_tokens=1))
         for text in texts]
found = {}
for name in ("vllm", "transformers"):
    options = ["dtype=float32", *(["max_model_len=512"] if name == "vllm" else [])]
    answers = dict(load_backend(name, options).write(asked))
    found[name] = [answer_log_odds(answers[number].text, ("yes", "no")) for number in range(len(asked))]
print("FOUND" + json.dumps(found))
"""
    done = subprocess.run([sys.executable, "-c", compare], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.rsplit("FOUND", 1)[1])
    assert found["vllm"] == pytest.approx(found["transformers"], abs=1e-3)
    assert len({*found["vllm"]}) == 3
