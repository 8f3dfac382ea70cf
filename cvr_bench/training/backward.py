"""Losses and gradients of one batch: whole, or in chunks whose activations are in memory one after another.

In chunks, each runs twice: first without gradients for its embeddings, then, with the embeddings of all others at hand,
for its share of the gradient. What is held at once is one chunk's activations and the embeddings of the whole batch.
Batch norms see a chunk at a time.

Source: gradient caching, Gao et al. 2021 (https://arxiv.org/abs/2101.06983). Differs in what is kept between the two
runs: embeddings instead of their gradients, so a loss may have parameters of its own; it is worked out once per chunk.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from accelerate import Accelerator
from torch import Tensor

from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.models.parts.joining import OverProcesses, Recorded, Replayed, Whole, merged
from cvr_bench.models.parts.processes import is_spread, process_count, process_number

TrainingStep = Callable[[TripletBatch], Mapping[str, Tensor]]


def backward(
    accelerator: Accelerator, training_step: TrainingStep, chunks: Sequence[TripletBatch]
) -> dict[str, Tensor]:
    """Add the gradients of a batch to its parameters, and return its losses.

    On several processes they are still to be averaged over these.

    Raises:
        CvrError: the model cannot learn from a batch that is not whole.
    """
    if len(chunks) > 1:
        return _in_chunks(accelerator, training_step, chunks)
    if not is_spread():
        return _step(accelerator, training_step, replace(chunks[0], joining=Whole()), 1)
    joining = OverProcesses()
    losses = _step(accelerator, training_step, replace(chunks[0], joining=joining), 1)
    joining.check()
    return losses


def _in_chunks(
    accelerator: Accelerator, training_step: TrainingStep, chunks: Sequence[TripletBatch]
) -> dict[str, Tensor]:
    records, states = [Recorded() for _ in chunks], []
    with torch.no_grad(), accelerator.autocast():
        for chunk, record in zip(chunks, records, strict=True):
            states.append(_random_state())
            training_step(replace(chunk, joining=record))
    whole = merged(records)
    start = sum(len(chunk.target_ids) for chunk in chunks) * process_number()
    parts = len(chunks) * process_count()
    for chunk, state in zip(chunks, states, strict=True):
        _set_random_state(state)
        joining = Replayed(whole, start, parts)
        losses = _step(accelerator, training_step, replace(chunk, joining=joining), len(chunks))
        start += len(chunk.target_ids)
    return losses


def _step(accelerator: Accelerator, training_step: TrainingStep, batch: TripletBatch, parts: int) -> dict[str, Tensor]:
    with accelerator.autocast():
        losses = training_step(batch)
    accelerator.backward(losses["loss"] / parts if parts > 1 else losses["loss"])
    return {name: value.detach() for name, value in losses.items()}


def _random_state() -> tuple[Tensor, list[Tensor]]:
    return torch.get_rng_state(), torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []


def _set_random_state(state: tuple[Tensor, list[Tensor]]) -> None:
    torch.set_rng_state(state[0])
    if state[1]:
        torch.cuda.set_rng_state_all(state[1])
