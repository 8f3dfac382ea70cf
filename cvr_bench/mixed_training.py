"""Several data sets to train on at once, each with a weight: how often an epoch has each of its triplets.

    cvr bench --model combiner --data cirr --train-data cc-coir --train-data webvid-covr=0.5 -e embeddings

Each has a val split, or holds some out, of its own; the checkpoint is chosen on all of them together.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from cvr_bench.caption_source import CaptionSource
from cvr_bench.training_set import WEIGHT
from cvr_bench.training_source import TrainingSource, find_training
from cvr_data.errors import CvrError
from cvr_data.tables import TRIPLETS, check_columns


def find_mixture(data: Sequence[str], root: Callable[[str], Path]) -> TrainingSource | CaptionSource:
    """Return what the `--train-data` options name, each a data set or `DATA=WEIGHT`.

    Raises:
        CvrError: a weight is not above 0, captions are to be mixed, or what `find_training` raises.
    """
    named = [_weighted(text) for text in data]
    found = [(find_training(name, root), weight) for name, weight in named]
    if len(found) == 1 and found[0][1] == 1:
        return found[0][0]
    parts: list[tuple[TrainingSource, float]] = []
    for source, weight in found:
        if isinstance(source, CaptionSource):
            raise CvrError(f"{source.name} has captions, which cannot be mixed; give one --train-data without weight.")
        parts.append((source, weight))
    return mixture(parts)


def mixture(parts: Sequence[tuple[TrainingSource, float]]) -> TrainingSource:
    """Return the triplets of all parts, with weights."""

    def read() -> pa.Table:
        tables = [_with_weight(source.triplets(), weight, source.name) for source, weight in parts]
        return pa.concat_tables(tables, promote_options="default")

    return TrainingSource(
        name="+".join(source.name for source, _ in parts),
        files=[path for source, _ in parts for path in source.files],
        read=read,
        options={"parts": [{**source.identity(), "weight": weight} for source, weight in parts]},
    )


def _with_weight(table: pa.Table, weight: float, name: str) -> pa.Table:
    checked = check_columns(table, TRIPLETS, name)
    return checked.append_column(WEIGHT, pa.array([weight] * checked.num_rows, pa.float64()))


def _weighted(text: str) -> tuple[str, float]:
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
