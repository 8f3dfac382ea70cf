"""The contract between models and benchmarks: finite metrics of any model on any benchmark, or one line why not.

docs/benchmarks.md has the table; what it says of a model is checked here, and every model has a row.
"""

from pathlib import Path

import numpy as np
import pytest

from cvr_bench.benchmarks import triplets
from cvr_bench.models import MODELS
from cvr_bench.results.result import result_ranks_table
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.scoring.measures import Measures
from cvr_bench.tasks.task import Task
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS
from tests.benchmark_samples import sample_tasks

pytestmark = pytest.mark.slow

DOCS = Path(__file__).resolve().parents[3] / "docs" / "benchmarks.md"
KINDS = ("composed", "text-to-video", "video-to-text")
REASONS = {
    "This model needs a reference video": "needs a reference",
    "This model needs a modification text": "needs a text",
    "This model ranks videos only": "ranks videos only",
}
"""How a refusal starts -> what the docs call it."""
SCORED = "scored"


def kind_of(task: Task) -> str:
    """Which parts its queries have."""
    if all(query.reference is None for query in task.queries):
        return "text-to-video"
    return "video-to-text" if all(query.modification is None for query in task.queries) else "composed"


def outcome(model: str, task: Task) -> str:
    """`scored`, having checked every metric, or the reason in the words of the docs."""
    component, encoder = MODELS.get(model), ENCODERS.get("hash").load(ENCODERS.get("hash").TINY)
    try:
        ranks = evaluate(component.load(component.TINY, encoder), task)
    except CvrError as error:
        assert "\n" not in str(error)
        return next((word for start, word in REASONS.items() if str(error).startswith(start)), str(error))
    measures, table = Measures.of_task(task), result_ranks_table(task, ranks)
    for name in measures.names():
        values = measures.values(table, name)
        assert len(values) == len(task.queries), (task.name, name)
        assert np.isfinite(values).all(), (task.name, name)
        assert 0 <= values.mean() <= 100 + 1e-9, (task.name, name)
    return SCORED


def documented() -> dict[str, list[str]]:
    """Model -> what the docs say of it, per kind of benchmark."""
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    start = lines.index(f"| model | {' | '.join(KINDS)} |")
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return {cells[0].strip("`"): cells[1:] for cells in rows}


@pytest.fixture(scope="module")
def tasks(world) -> list[Task]:
    own = triplets.load(triplets.Config(data=world.triplets, embeddings=world.embeddings, videos=(world.videos,)))
    return [*sample_tasks(), own]


@pytest.mark.parametrize("model", MODELS.names())
def test_a_model_scores_a_benchmark_or_says_in_one_line_why_not(model, tasks):
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for task in tasks:
        found[kind_of(task)].add(outcome(model, task))
    assert all(len(outcomes) == 1 for outcomes in found.values()), found
    assert found["composed"] == {SCORED}
    assert documented()[model] == [next(iter(found[kind])) for kind in KINDS]
