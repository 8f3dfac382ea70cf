"""Triplets to train on that are not those of the scored data, so that a benchmark that only tests can be trained for.

    cvr bench --model combiner --data cirr --train-data cc-coir -e embeddings

The features of both lie in the one `--embeddings` folder. The checkpoint is chosen on the val split of the training
data; where it has none, a share of its references is held out.

Several data sets to train on at once, each with a weight: how often an epoch has each of its triplets.

    cvr bench --model combiner --data cirr --train-data cc-coir --train-data webvid-covr=0.5 -e embeddings

Each has a val split, or holds some out, of its own; the checkpoint is chosen on all of them together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_bench.benchmarks import BENCHMARKS, HasCaptions, HasTriplets
from cvr_bench.benchmarks.triplets import (
    Config,
    benchmark_of_triplets,
    benchmark_task_name,
    benchmark_triplets_to_learn,
    check_benchmark_triplets,
    read_benchmark_triplets,
)
from cvr_bench.data.benchmark import is_benchmark_data
from cvr_bench.data.captions import HELD_OUT, CaptionSource, find_caption_data
from cvr_bench.models.parts.batches import WEIGHT, TrainingData
from cvr_bench.tasks.composed import task_triplets_held_out
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError
from cvr_data.core.registry import config_dict
from cvr_data.features.store import FeatureStore
from cvr_data.tables import TRIPLETS


@dataclass(frozen=True, kw_only=True)
class TrainingSource:
    """Where triplets to train on come from."""

    name: str
    files: Sequence[Path]
    """What is read, for the manifest of the result."""
    read: Callable[[], pa.Table]
    """Gives the triplets, with their splits."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Those that can change which triplets these are."""

    def identity(self) -> dict[str, Any]:
        """Return what names these triplets beside the content of their files."""
        return {"name": self.name, **self.options}

    @cached_property
    def table(self) -> pa.Table:
        """The triplets, read once."""
        return self.read()

    def load(self, store: FeatureStore) -> TrainingData:
        """Return what to train on and what to choose a checkpoint on, within the videos that have features.

        Raises:
            CvrError: a file cannot be read, or the features are of none of it.
        """
        data, table = Path(self.name), self.triplets()
        return TrainingData(
            benchmark_triplets_to_learn(table, Config(data=data, split="train"), store),
            benchmark_of_triplets(table, Config(data=data, split="val"), store),
        )

    def triplets(self) -> pa.Table:
        """Return train and val triplets; some are held out where there is no val.

        Raises:
            CvrError: there are too few to hold any out.
        """
        table = self.table
        if pc.any(pc.equal(table.column("split"), "val")).as_py():
            return table
        table = task_triplets_held_out(table, HELD_OUT)
        if not pc.any(pc.equal(table.column("split"), "val")).as_py():
            raise CvrError(
                f"{self.name} has no val split, on which the checkpoint is chosen, and too few references to hold some "
                "out; add triplets of split val."
            )
        return table


def find_training_data(data: str, root: Callable[[str], Path]) -> TrainingSource | CaptionSource:
    """Return the triplets that `--train-data` names: a path, else a benchmark whose files lie in `root` of its name.

    Those of a text-video benchmark are the captions of its training videos.

    Raises:
        CvrError: it is neither, has nothing to train on, or a file is missing.
    """
    if not is_benchmark_data(data):
        path = Path(data)
        check_benchmark_triplets(path)
        return TrainingSource(name=benchmark_task_name(path), files=[path], read=lambda: read_benchmark_triplets(path))
    name = data.replace("_", "-")
    component = BENCHMARKS.get(name)
    if isinstance(component, HasCaptions):
        return find_caption_data(name, component, BENCHMARKS.config(name, {"annotations": str(root(name))}))
    if not isinstance(component, HasTriplets):
        components = {found: BENCHMARKS.get(found) for found in BENCHMARKS.names()}
        known = ", ".join(found for found, each in components.items() if isinstance(each, HasTriplets | HasCaptions))
        raise CvrError(f"{name} has nothing to train on here; --train-data takes {known}, or the path of triplets.")
    config = BENCHMARKS.config(name, {"annotations": str(root(name))})
    options = {key: value for key, value in config_dict(config).items() if key == "held_out"}
    files = component.training_files(config)
    return TrainingSource(name=name, files=files, read=lambda: component.load_triplets(config), options=options)


def find_data_mixture(data: Sequence[str], root: Callable[[str], Path]) -> TrainingSource | CaptionSource:
    """Return what the `--train-data` options name, each a data set or `DATA=WEIGHT`.

    Raises:
        CvrError: a weight is not above 0, captions are to be mixed, or what `find_training_data` raises.
    """
    named = [_weighted_data(text) for text in data]
    found = [(find_training_data(name, root), weight) for name, weight in named]
    if len(found) == 1 and found[0][1] == 1:
        return found[0][0]
    parts: list[tuple[TrainingSource, float]] = []
    for source, weight in found:
        if isinstance(source, CaptionSource):
            raise CvrError(f"{source.name} has captions, which cannot be mixed; give one --train-data without weight.")
        parts.append((source, weight))
    return _training_mixture(parts)


def _training_mixture(parts: Sequence[tuple[TrainingSource, float]]) -> TrainingSource:
    """Return the triplets of all parts, with weights."""

    def read() -> pa.Table:
        tables = []
        for source, weight in parts:
            table = check_columns(source.triplets(), TRIPLETS, source.name)
            tables.append(table.append_column(WEIGHT, pa.array([weight] * table.num_rows, pa.float64())))
        return pa.concat_tables(tables, promote_options="default")

    return TrainingSource(
        name="+".join(source.name for source, _ in parts),
        files=[path for source, _ in parts for path in source.files],
        read=read,
        options={"parts": [{**source.identity(), "weight": weight} for source, weight in parts]},
    )


def _weighted_data(text: str) -> tuple[str, float]:
    name, is_there, number = text.rpartition("=")
    if not is_there:
        return text, 1.0
    try:
        weight = float(number)
    except ValueError:
        return text, 1.0  # a path with a sign in it
    if not 0 < weight < 1e6:
        raise CvrError(f"--train-data {text}: the weight should be above 0, got {number}.")
    return name, weight
