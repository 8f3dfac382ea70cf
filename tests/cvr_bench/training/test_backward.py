"""Gradients of a batch in chunks: those of the whole batch, of every model that trains."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from cvr_bench.training.launch import training_process_places
from cvr_data.core.errors import CvrError
from tests.same_gradients import assert_same_gradients
from tests.two_processes import CASES, ROWS, gradients, model

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_chunks_have_the_gradients_of_the_whole_batch(name, options):
    retriever = model(name, options)
    rows = list(range(ROWS))
    losses, expected = gradients(retriever, [rows])
    for groups in ([rows[:6], rows[6:]], [rows[:2], rows[2:4], rows[4:8], rows[8:]]):
        chunked_losses, found = gradients(retriever, groups)
        assert_close(chunked_losses, losses)
        assert_same_gradients(found, expected)


@pytest.mark.slow
def test_two_processes_have_the_gradients_of_one_that_has_the_whole_batch(tmp_path):
    """In one chunk each and in two, with the negatives of both; losses are those of the whole batch too."""
    first, _ = training_process_places({}, devices=2, nodes=1)
    command = [sys.executable, "-m", "tests.two_processes"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen([*command, str(rank), str(first.port), str(tmp_path / "found.pt")], cwd=ROOT, env=environment)
        for rank in range(2)
    ]
    assert [process.wait() for process in processes] == [0, 0]
    found = torch.load(tmp_path / "found.pt", weights_only=True)
    for number, (name, options) in enumerate(CASES):
        losses, expected = gradients(model(name, options), [list(range(ROWS))])
        for how in ("whole", "chunks"):
            spread_losses, spread = found[f"{number} {how}"]
            assert_close(spread_losses, losses)
            assert_same_gradients(spread, expected)


def test_dropout_is_the_same_in_both_runs_of_a_chunk():
    """With one chunk's worth of rows twice, dropout of the second run decides whether the rows fit the kept ones."""
    retriever = model("combiner", {"projection": 8, "hidden": 8, "dropout": 0.5})
    seen = []

    def step(batch):
        rows = retriever.module(batch.reference.pooled_BD(), batch.modification.pooled_BD)
        seen.append(rows.detach())
        return {"loss": batch.joined(rows).square().sum()}

    torch.manual_seed(0)
    gradients(retriever, [[0, 1, 2], [3, 4, 5]], step)
    assert torch.equal(seen[0], seen[2])
    assert torch.equal(seen[1], seen[3])
    assert not torch.equal(seen[0], seen[1])


def test_a_model_that_does_not_join_its_batch_is_refused_in_chunks():
    retriever = model("tirg", {})

    def step(batch):
        return {"loss": retriever.module(batch.reference.pooled_BD(), batch.modification.pooled_BD).sum()}

    with pytest.raises(CvrError, match="This model does not join batches"):
        gradients(retriever, [[0, 1], [2, 3]], step)
