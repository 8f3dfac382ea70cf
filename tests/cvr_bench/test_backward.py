"""Gradients of a batch in chunks: those of the whole batch, of every model that trains."""

import functools

import pytest
import torch
from accelerate import Accelerator
from torch.testing import assert_close

from cvr_bench.backward import backward
from cvr_bench.models import MODELS
from cvr_bench.training_set import TrainingSet
from cvr_data.encoders import ENCODERS
from cvr_data.errors import CvrError

TEXTS = ("make it red", "not a dog, a cat without a hat", "the same dog", "it jumps and does not run")
MODELS_AND_OPTIONS = [
    ("combiner", {"projection": 8, "hidden": 8, "dropout": 0.0}),
    ("tirg", {}),
    ("fdca", {"width": 8, "heads": 2, "dropout": 0.0, "fusion_dropout": 0.0}),
    ("fdca", {"mode": "faithful", "depth": 1, "dropout": 0.0}),
]


@functools.cache
def encoder():
    return ENCODERS.get("hash").load(ENCODERS.config("hash", {"dim": "16", "frames": "2"}))


def triplets(count=11):
    """Some have the same target, and texts are of several lengths."""
    targets = [f"t{row % 8}" for row in range(count)]
    return TrainingSet(
        reference_ids=[f"v{row % 7}" for row in range(count)],
        modifications=[f"{TEXTS[row % len(TEXTS)]} {row}" for row in range(count)],
        target_ids=targets,
        target_group_ids=targets,
    )


def model(name, options):
    component = MODELS.get(name)
    retriever = component.load(component.Config(**options), encoder())
    retriever.module.train(name != "tirg")  # its batch norm would see a chunk at a time
    return retriever


def gradients(retriever, groups, training_step=None):
    """(losses, gradients by name) of a batch in chunks of these rows."""
    chunks = [triplets().batch(rows, encoder()) for rows in groups]
    losses = backward(Accelerator(cpu=True), training_step or retriever.training_step, chunks)
    found = {name: parameter.grad for name, parameter in retriever.module.named_parameters()}
    retriever.module.zero_grad()
    return losses, found


@pytest.mark.parametrize(("name", "options"), MODELS_AND_OPTIONS)
def test_chunks_have_the_gradients_of_the_whole_batch(name, options):
    retriever = model(name, options)
    rows = list(range(11))
    losses, expected = gradients(retriever, [rows])
    for groups in ([rows[:6], rows[6:]], [rows[:2], rows[2:4], rows[4:8], rows[8:]]):
        chunked_losses, found = gradients(retriever, groups)
        assert_close(chunked_losses, losses)
        assert found.keys() == expected.keys()
        for parameter, gradient in expected.items():
            assert (gradient is None) == (found[parameter] is None)
            if gradient is not None:
                assert_close(found[parameter], gradient, rtol=1e-4, atol=1e-6)


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
