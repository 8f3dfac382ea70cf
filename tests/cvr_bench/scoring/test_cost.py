"""cost: phases add up and do not count twice, peaks are of what was held, and every result says its own."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from cvr_bench.models import MODELS
from cvr_bench.models.parts.retriever import DenseRetriever
from cvr_bench.report.page import build_report, report_html, report_markdown
from cvr_bench.results.result import read_result
from cvr_bench.scoring.cost import Clock, cost_of_scoring, scoring_cost_line, scoring_timed_retriever
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.tasks.task import Item, Query, Task
from cvr_data.media.video import Video

GALLERY = [Item(f"v{number}", Video(f"v{number}")) for number in range(6)]
TASK = Task(
    name="toy",
    queries=[Query(f"q{number}", GALLERY[number], "x") for number in range(4)],
    gallery=GALLERY,
    targets={f"q{number}": frozenset({f"v{number + 1}"}) for number in range(4)},
)


def slow(values):
    time.sleep(0.05)
    return torch.eye(6)[
        [int(value.query_id[1:] if isinstance(value, Query) else value.video_id[1:]) for value in values]
    ]


def test_a_phase_inside_another_counts_for_itself_only():
    clock, started = Clock(), time.monotonic()
    with clock.phase("score"):
        time.sleep(0.02)
        with clock.phase("encode"):
            time.sleep(0.08)
    whole = time.monotonic() - started
    assert clock.seconds["encode"] >= 0.08
    assert 0.02 <= clock.seconds["score"] <= whole - clock.seconds["encode"]
    assert clock.seconds["train"] == 0


def test_encoding_is_told_from_ranking_and_changes_no_rank():
    clock, plain = Clock(), DenseRetriever(slow, slow)
    with clock.phase("score"):
        ranks = evaluate(scoring_timed_retriever(plain, clock), TASK)
    assert clock.seconds["encode"] >= 0.1
    assert np.array_equal(ranks.rank, evaluate(plain, TASK).rank)


def test_a_model_without_encoders_is_timed_as_a_whole():
    component = MODELS.get("random")
    model = component.load(component.TINY, None)
    assert scoring_timed_retriever(model, Clock()) is model


# In a process of its own: what other tests freed in this one can be taken again, or given back meanwhile.
PEAKS = """
import numpy as np
from cvr_bench.scoring.cost import forget_scoring_peak_memory, scoring_peak_memory
started = scoring_peak_memory()
held = np.ones(2**25)  # 256 MiB
most = scoring_peak_memory()
del held
forget_scoring_peak_memory()
print(most - started, most - scoring_peak_memory())
"""


@pytest.mark.slow
def test_the_peak_is_of_what_was_held_since_it_was_forgotten():
    gives_back = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    answer = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, text=True, check=True, env=gives_back)
    grown, forgotten = map(int, answer.stdout.split())
    assert min(grown, forgotten) > 200 * 2**20


def test_training_on_a_gpu_costs_gpu_hours_and_on_a_cpu_none():
    model = DenseRetriever(slow, slow, module=torch.nn.Linear(3, 2))
    seconds = {"load": 0.0, "train": 7200.0, "encode": 0.0, "score": 1.0}
    assert cost_of_scoring(model, seconds, {"device": "cuda:0"})["gpu_hours"] == 2.0
    assert cost_of_scoring(model, seconds, {"device": "cuda:0", "devices": 4})["gpu_hours"] == 8.0
    resumed = {"device": "cuda:0", "devices": 2, "seconds": 10_800.0}
    assert cost_of_scoring(model, seconds, resumed)["gpu_hours"] == 6.0
    on_cpu = cost_of_scoring(model, seconds, {"device": "cpu"})
    assert (on_cpu["gpu_hours"], on_cpu["parameters"], on_cpu["trained_parameters"]) == (0.0, 8, 8)
    assert cost_of_scoring(model, seconds, None)["trained_parameters"] == 0
    assert scoring_cost_line(on_cpu).startswith("train 7200.0 s, score 1.0 s, on cpu, 8 parameters, peak ")


@pytest.fixture(scope="module")
def result(world, tmp_path_factory):
    import cli

    out = tmp_path_factory.mktemp("cost")
    words = ["-o", "width=8", "-o", "heads=2", "-t", "epochs=1", "-d", f"{world.triplets}", "-O", f"{out}"]
    assert cli.run(["bench", "--model", "fdca", *words]) == 0
    return out / "fdca-tiny"


def test_every_result_says_what_it_cost(result):
    cost = json.loads((result / "result.json").read_text())["cost"]
    assert set(cost["seconds"]) == {"load", "train", "encode", "score"}
    assert cost["seconds"]["train"] > 0 and cost["seconds"]["encode"] > 0
    assert (cost["device"], cost["dimension"], cost["gpu_hours"]) == ("cpu", 16, 0.0)
    assert cost["parameters"] >= cost["trained_parameters"] > 0
    assert cost["peak_memory_bytes"] > 50 * 2**20
    assert read_result(result).record["seconds"] == cost["seconds"]


def test_the_report_shows_the_cost(result):
    report = build_report([result])
    for page in (report_html(report), report_markdown(report)):
        assert "Peak memory" in page and "GPU-hours" in page
