"""Re-rankers and a judge on the real vLLM, with a tiny vision-language model: its logits are transformers'."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

if importlib.util.find_spec("vllm") is None:
    pytest.skip(
        "vLLM is not installed here; `make test-engines` makes an environment that has it", allow_module_level=True
    )

from cvr_data.core.artifacts import open_artifact
from tests.engines.vllm_server import ENVIRONMENT
from tests.native_embedders import FILMS, write_film_triplets, write_films
from tests.tiny_language_models import save_vision_language_model

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]
COMPARE = """
import json, sys
from pathlib import Path
from cvr_bench.models import yes_no
from cvr_bench.tasks.task import Item, Query
from cvr_data.features.encoders import ENCODERS
from cvr_data.media.video import Video
folder, films = Path(sys.argv[1]), sys.argv[2].split(",")
query = Query("q", Item("rising", Video("rising")), "a red ball")
encoder = ENCODERS.get("hash").load(ENCODERS.config("hash"))
about = {"model": str(folder / "model"), "videos": folder / "videos", "frames": 2}
found = {}
for engine in ("transformers", "vllm"):
    logits = {}
    for dtype in ("float32", "bfloat16"):
        config = yes_no.Config(**about, dtype=dtype, yes="red", no="blue", engine=engine)
        logits[dtype] = yes_no.load(config, encoder).rescore(query, films).tolist()
    found[engine] = logits
print("FOUND" + json.dumps(found))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rerankers")
    save_vision_language_model(folder / "model", "yes", "no", head_width=32)
    write_films(folder)
    write_film_triplets(folder)
    return folder


def run(*words, **settings) -> str:
    """Run the command in a process of its own and return what it prints."""
    command = list(map(str, [Path(sys.executable).with_name("cvr"), *words]))
    done = subprocess.run(command, env={**ENVIRONMENT, **settings}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_logits_of_vllm_are_those_of_transformers(folder):
    told = [sys.executable, "-c", COMPARE, str(folder), ",".join(FILMS)]
    done = subprocess.run(told, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.rsplit("FOUND", 1)[1])
    ours, theirs = found["vllm"], found["transformers"]
    assert ours["float32"] == pytest.approx(theirs["float32"], abs=1e-4) and len({*ours["float32"]}) == len(FILMS)
    noise = max(abs(rough - fine) for rough, fine in zip(theirs["bfloat16"], theirs["float32"], strict=True))
    assert ours["bfloat16"] == pytest.approx(theirs["float32"], abs=4 * noise), "as far off as transformers is itself"


def test_a_shortlist_is_put_in_the_order_of_vllms_logits(folder):
    """`rerank` with `yes-no` on both engines: one and the same ranks."""
    run("embed", folder / "videos", "--encoder", "hash", "-O", folder / "hash")
    ranks = {}
    for engine in ("transformers", "vllm"):
        about = f"model={folder / 'model'},videos={folder / 'videos'},yes=red,no=blue,frames=2"
        told = f"{about},dtype=float32,engine={engine}"
        words = ["--model", "rerank", "-o", "first=sum", "-o", "second=yes-no", "-o", f"second_options={told}",
                 "-o", "top=4", "--data", folder / "triplets", "-e", folder / "hash", "--no-audit",
                 "-O", folder / engine]  # fmt: skip
        run("bench", *words)
        (table,) = (folder / engine).rglob("ranks.parquet")
        ranks[engine] = pq.read_table(table).column("target_ranks").to_pylist()
    assert ranks["vllm"] == ranks["transformers"] and len(ranks["vllm"]) == 3


def test_a_judge_grades_by_vllms_log_odds_of_frames_and_stored_ones_need_no_engine(folder):
    """`find-positives` with both engines, each with a request cache of its own."""

    def judged(engine: str, *options: str) -> dict[tuple[str, str], float]:
        told = [f"model={folder / 'model'}", "form=chat", "dtype=float32", *options]
        words = [word for each in told for word in ("--judge-option", each)]
        words += ["-o", "sample=9", "-o", "frames=2", "-O", folder / "positives", "--overwrite"]
        cache = str(folder / f"{engine}-cache")
        run("find-positives", folder / "triplets", "--judge", engine, *words, CVR_CACHE=cache)
        rows = [row for row in open_artifact(folder / "positives").read().to_pylist() if row["judged_by"] == "judge"]
        assert all(row["grade"] == (row["log_odds"] > 0) for row in rows)
        return {(row["query_id"], row["video_id"]): row["log_odds"] for row in rows}

    ours, theirs = judged("vllm", "max_model_len=4096"), judged("transformers")
    assert ours == pytest.approx(theirs, abs=1e-4) and len(ours) == 9
    assert len({round(odds, 3) for odds in ours.values()}) == 7, "of two films as seen from grey, by a text of no words"
    assert judged("vllm", "tensor_parallel=64") == ours, "an engine of 64 processors would not start"
