"""From what a run names to its task and its features."""

import dataclasses

from cvr_bench.benchmarks import triplets
from cvr_bench.data.remembering import RememberingEncoder
from cvr_bench.data.sources import Sources
from cvr_bench.models.parts.frame_weights import FrameWeights
from cvr_bench.tasks.task import Task
from cvr_data.core.registry import parse_config
from cvr_data.features.encoders import ENCODERS


def open_features(sources: Sources) -> FrameWeights:
    """Return the encoder that serves the stored features, from memory the second time; other texts are encoded."""
    stored = ENCODERS.get("stored").load(ENCODERS.config("stored", {"embeddings": str(sources.embeddings)}))
    return FrameWeights(RememberingEncoder(stored))


def load_task(sources: Sources, split: str) -> Task:
    """Return what is to be ranked: a benchmark, or a split of triplets with its distractors.

    Raises:
        CvrError: the data cannot be read, or nothing of it can be scored.
    """
    if sources.benchmark is not None:
        return sources.benchmark.load(sources.embeddings)
    config = dataclasses.replace(triplets_config(sources, split), distractors=sources.distractors)
    return triplets.task_of(sources.triplets, config, sources.store)


def triplets_config(sources: Sources, split: str) -> triplets.Config:
    """Return how a split of the triplets of a run is read; without distractors."""
    options = {"data": str(sources.data), "embeddings": str(sources.embeddings), "split": split}
    config = parse_config(triplets.Config, options, where="--split")
    return dataclasses.replace(config, videos=sources.videos)
