"""The data of a run, each part opened once: triplets, features, the task, and what is learned from.

sources = find_data_sources(Path("annotations/quickstart"), "--data")
sources.task("test") is sources.task("test")            # built from tables that all models of the run share
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cvr_bench.benchmarks import BENCHMARKS, HasCaptions
from cvr_bench.benchmarks.triplets import (
    READERS,
    Config,
    benchmark_of_triplets,
    benchmark_train_queries,
    benchmark_triplets_to_learn,
    benchmark_video_splits,
    read_benchmark_triplets,
)
from cvr_bench.data.benchmark import Benchmark
from cvr_bench.data.captions import HELD_OUT, CaptionSource, find_caption_data
from cvr_bench.data.remembering import RememberingEncoder
from cvr_bench.data.training import TrainingSource
from cvr_bench.models import MayLackReference, ModelModule
from cvr_bench.models.parts.batches import TrainingData
from cvr_bench.models.parts.frame_weights import FrameWeights
from cvr_bench.tasks.composed import task_triplets_held_out
from cvr_bench.tasks.coverage import task_within_features
from cvr_bench.tasks.task import Query, Task
from cvr_bench.tasks.twins import task_twins_in_store
from cvr_data.core.artifact_files import MANIFEST
from cvr_data.core.errors import CvrError
from cvr_data.core.registry import parse_config
from cvr_data.features.encoders.stored import StoredEncoder
from cvr_data.features.store import HEADS_FOLDER, FeatureStore


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What a model is scored on."""

    data: Path
    embeddings: Path
    videos: tuple[Path, ...]
    """Whose split column says what the gallery is; none for a data set that comes without."""
    choice: str
    """Why this data: in words, for the user."""
    distractors: tuple[Path, ...] = ()
    """Mined ones, whose videos join the gallery of the scored split."""
    benchmark: Benchmark | None = None
    """A benchmark of the field whose files `data` holds; None for triplets of ours."""
    training: TrainingSource | CaptionSource | None = None
    """Triplets, or captions, to train on instead of the data's own train split."""
    reference: str = "exclude"
    """Whether a query's own video is left out of its ranking, of triplets of ours; a benchmark's protocol says so."""

    @cached_property
    def triplets(self) -> pa.Table:
        """The triplets that `data` holds, read once. Raises CvrError: it holds none."""
        return read_benchmark_triplets(self.data)

    @cached_property
    def listed(self) -> pa.Table:
        """The id and split of all `videos`, read once."""
        return benchmark_video_splits(self.videos)

    @cached_property
    def store(self) -> FeatureStore:
        """The raw features, whose index is read once."""
        return FeatureStore.open(self.embeddings, space="raw")

    @cached_property
    def encoder(self) -> FrameWeights:
        """What serves the stored features, from memory the second time; other texts are encoded.

        Raises:
            CvrError: videos and texts lie in two spaces, as no heads were fitted.
        """
        return FrameWeights(RememberingEncoder(StoredEncoder(self.store.shared())))

    def task(self, split: str) -> Task:
        """Return what is to be ranked, built once: a benchmark, or a split of triplets with its distractors.

        Raises:
            CvrError: the data cannot be read, or nothing of it can be scored.
        """
        if split not in self._tasks:
            if self.benchmark is not None:
                task = task_within_features(self.benchmark.load(), self.store)
            else:
                task = benchmark_of_triplets(self.triplets, self.config(split), self.store, self.listed)
            self._tasks[split] = replace(task, twins=task_twins_in_store(task.gallery, self.store))
        return self._tasks[split]

    def training_of(self, model: str, component: ModelModule) -> TrainingSource | CaptionSource | None:
        """Return what a model trains on where it is not the data's own train split.

        It is what is named, else the captions of the scored benchmark, if the model learns from them.

        Raises:
            CvrError: captions are named, and the model needs reference videos, as most do; or the benchmark only tests.
        """
        needs_reference = not isinstance(component, MayLackReference) or component.NEEDS_REFERENCE
        if isinstance(self.training, CaptionSource) and needs_reference:
            raise CvrError(f"{model} learns from triplets, and {self.training.name} has captions; choose --train-data.")
        found = self.training or (None if needs_reference else self._captions)
        if found is None and self.benchmark is not None:
            tests = f"{self.benchmark.name} only tests"
            raise CvrError(f"{model} has to be trained, and {tests}; pass --checkpoint or --train-data.")
        return found

    @cached_property
    def own_training(self) -> TrainingData:
        """The train and val splits of the data; without val, some videos of train are held out.

        Raises:
            CvrError: the data has no split train, or the features are of none of it.
        """
        rows, val = self.triplets, replace(self.config("val"), distractors=())
        if not pc.any(pc.equal(rows.column("split"), "val")).as_py():
            rows = task_triplets_held_out(rows, HELD_OUT)
        return TrainingData(
            benchmark_triplets_to_learn(rows, self.config("train"), self.store),
            benchmark_of_triplets(rows, val, self.store, self.listed),
        )

    def input_paths(self) -> dict[str, Sequence[Path]]:
        """Return what the data are read from, by the name it has in the manifest of a result."""
        files = [self.data] if self.benchmark is None else self.benchmark.files()
        if self.benchmark is None and self.data.is_dir() and not (self.data / MANIFEST).exists():
            files = sorted(path for path in self.data.iterdir() if path.suffix in READERS)
        heads = self.embeddings / HEADS_FOLDER
        return {
            "triplets" if self.benchmark is None else "annotations": files,
            "embeddings": [self.embeddings],
            "videos": self.videos,
            "distractors": self.distractors,
            "heads": [heads] if (heads / MANIFEST).exists() else [],
        }

    def query_bank(self) -> list[Query]:
        """Return the train queries of the data; a benchmark that only tests has none."""
        return [] if self.benchmark is not None else benchmark_train_queries(self.triplets, self.store)

    def config(self, split: str) -> Config:
        """Return how a split of the triplets is read. Raises CvrError: there is no such split."""
        options = {
            "data": self.data, "embeddings": self.embeddings, "videos": self.videos, "distractors": self.distractors,
            "reference": self.reference,
        }  # fmt: skip
        return parse_config(Config, {**options, "split": split}, where="--split")

    @cached_property
    def _captions(self) -> CaptionSource | None:
        scored = BENCHMARKS.get(self.benchmark.name) if self.benchmark is not None else None
        if self.benchmark is None or not isinstance(scored, HasCaptions):
            return None
        return find_caption_data(self.benchmark.name, scored, self.benchmark.config)

    @cached_property
    def _tasks(self) -> dict[str, Task]:
        return {}
