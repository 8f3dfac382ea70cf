"""Captions to train on: those of a text-video benchmark's own training videos, for models that need no reference.

    cvr bench --model drl --data msrvtt -e embeddings

A row is a caption and its video, laid out as a triplet whose reference is the video itself. Only a model that says
`NEEDS_REFERENCE = False` is trained on them: to any other they would show the answer. The checkpoint is chosen by
ranking held-out training videos for their captions, never on what is scored.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_bench.benchmarks import HasCaptions
from cvr_bench.data.benchmark import FREE_OPTIONS
from cvr_bench.models.parts.batches import TrainingData, TrainingSet
from cvr_bench.tasks.composed import task_triplets_held_out
from cvr_bench.tasks.coverage import task_within_features
from cvr_bench.tasks.text_video import text_video_task
from cvr_data.core.errors import CvrError
from cvr_data.core.registry import config_dict
from cvr_data.features.store import FeatureStore
from cvr_data.tables import TRIPLETS, query_id, triplet_id

HELD_OUT = 0.02
"""Share of the training videos, or references, that are held out to choose the checkpoint on."""

Captions = Mapping[str, Sequence[str]]
"""video_id -> its captions."""


def find_caption_data(name: str, component: HasCaptions, config: Any) -> "CaptionSource":
    """Return the captions of a benchmark's training videos. Raises CvrError: a file is missing."""
    return CaptionSource(
        name=name,
        files=list(dict.fromkeys(component.training_files(config))),
        read_captions=lambda: component.load_captions(config),
        options={key: value for key, value in config_dict(config).items() if key not in FREE_OPTIONS},
    )


@dataclass(frozen=True, kw_only=True)
class CaptionSource:
    """Where captions to train on come from."""

    name: str
    files: Sequence[Path]
    """What is read, for the manifest of the result."""
    read_captions: Callable[[], Captions]
    options: Mapping[str, Any] = field(default_factory=dict)
    """Those that can change which captions these are."""

    def identity(self) -> dict[str, Any]:
        """Return what names these captions beside the content of their files."""
        return {"name": self.name, "captions": True, **self.options}

    @cached_property
    def rows(self) -> pa.Table:
        """A row per caption, laid out as triplets; read once."""
        return data_of_captions(self.read_captions())

    @property
    def table(self) -> pa.Table:
        """The same, with some videos held out as val."""
        return task_triplets_held_out(self.rows, HELD_OUT)

    def load(self, store: FeatureStore) -> TrainingData:
        """Return what to train on and what to choose a checkpoint on, within the videos that have features.

        Raises:
            CvrError: a file cannot be read, or the features are of none of it.
        """
        is_known = store.has_videos(self.rows.column("target_id").to_pylist())
        stored = task_triplets_held_out(self.rows.filter(pa.array(is_known)), HELD_OUT)
        train, held = (stored.filter(pc.equal(stored.column("split"), split)) for split in ("train", "val"))
        if not train.num_rows or not held.num_rows:
            raise CvrError(
                f"{store.artifact.path} has features of too few training videos of {self.name} to train on some and "
                "hold others out."
            )
        captions: dict[str, list[str]] = {}
        for row in held.select(["target_id", "modification"]).to_pylist():
            captions.setdefault(row["target_id"], []).append(row["modification"])
        task = text_video_task(f"{self.name}-held-out", captions, "text-to-video", "sentence")
        return TrainingData(TrainingSet.from_table(train), task_within_features(task, store))


def data_of_captions(captions: Captions) -> pa.Table:
    """Return a row per caption of train, laid out as triplets."""
    rows = [
        {
            "triplet_id": triplet_id(video_id, caption, video_id),
            "query_id": query_id(video_id, caption),
            "reference_id": video_id,
            "target_id": video_id,
            "modification": caption,
            "style": "caption",
            "split": "train",
        }
        for video_id, texts in captions.items()
        for caption in dict.fromkeys(texts)
    ]
    return pa.Table.from_pylist(rows, schema=TRIPLETS)
