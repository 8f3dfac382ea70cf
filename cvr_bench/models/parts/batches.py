"""Triplets to learn from, and the batches a model's `training_step` gets."""

# Shapes: B triplets, T frames, L tokens, D embedding.

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import pyarrow as pa
import torch
from torch import Tensor

from cvr_bench.models.parts.joining import Joining, Whole
from cvr_bench.models.parts.losses import model_loss_false_negatives
from cvr_bench.tasks.task import Task
from cvr_data.core.errors import CvrError
from cvr_data.features.protocol import Encoder, TextFeatures, VideoFeatures
from cvr_data.media.video import Video

WEIGHT = "epoch_weight"


@dataclass(frozen=True, kw_only=True)
class TripletBatch:
    """Some triplets with the features of their three parts."""

    reference: VideoFeatures
    modification: TextFeatures
    target: VideoFeatures
    target_ids: list[str]
    target_group_ids: list[str]
    """Near-duplicate cluster of each target (its own id where it has none): equal ones are no negatives."""
    right_group_ids: list[frozenset[str]] = field(default_factory=list)
    """The clusters of all targets that the query of a triplet has among those learned from; none is its own target."""
    references: list[Video]
    modifications: list[str]
    targets: list[Video] = field(default_factory=list)
    clips: Any = None
    """Decoded frames (a ClipPair) for a model with a `clip_reader`."""
    extra: dict[str, list[Any]] = field(default_factory=dict)
    """The other columns of the triplets, by name."""
    joining: Joining = field(default_factory=Whole)
    """Whether this is a whole batch or a part of one, on one of several devices or one of several chunks."""

    def joined(self, rows: Tensor) -> Tensor:
        """Return these rows (one per triplet of this part) of all parts, (N, ...), which losses are worked out over.

        A `training_step` calls it for every tensor that enters a loss (embeddings of queries and targets, masks), each
        time in the same order; sequences of several lengths are padded with zeros at the end. Returns the very same
        tensor where the batch is whole.
        """
        return self.joining.tensor(rows)

    def joined_ids(self, values: Sequence[str]) -> list[str]:
        """Return these values (one per triplet of this part) of all parts, in the order of `joined` rows."""
        return self.joining.ids(values)

    def ignored(self) -> Tensor:
        """Return ignored_BB of all parts, bool: True where target j is none of the wrong answers to query i.

        It is the same as the target of i, a near-duplicate, or another target of the same query.
        """
        groups = self.joined_ids(self.target_group_ids)
        ignored_BB = model_loss_false_negatives(self.joined_ids(self.target_ids), groups)
        for row, right in enumerate(self.joining.ids(self.right_group_ids)):
            if len(right) > 1:
                ignored_BB[row] |= torch.tensor([group in right for group in groups])
        return ignored_BB.fill_diagonal_(False)


class ReadsAhead(Protocol):
    """Decodes the clips of training batches, for a model that is trained end to end."""

    def ahead(self, batches: Iterable[Sequence[TripletBatch]], start: int) -> Iterator[list[TripletBatch]]:
        """Yield the chunks of each batch with their clips; `start` is the number of the first one's step."""


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """The triplets of one split; features are read batch by batch."""

    reference_ids: Sequence[str]
    modifications: Sequence[str]
    target_ids: Sequence[str]
    target_group_ids: Sequence[str]
    extra: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    weights: Sequence[float] = ()
    """How often an epoch has each triplet, of mixed data; none is once."""

    def __len__(self) -> int:
        return len(self.target_ids)

    @classmethod
    def from_table(cls, triplets: pa.Table, extra: Sequence[str] = ()) -> "TrainingSet":
        """Return the training set of a triplets table; `extra` names further columns that batches carry.

        A column `epoch_weight` says how often an epoch has each triplet.

        Raises:
            CvrError: the table has no row.
        """
        if not triplets.num_rows:
            raise CvrError("There is no triplet to train on.")
        target_ids = triplets.column("target_id").to_pylist()
        group_ids = triplets.column("target_group_id").to_pylist()
        return cls(
            reference_ids=triplets.column("reference_id").to_pylist(),
            modifications=triplets.column("modification").to_pylist(),
            target_ids=target_ids,
            target_group_ids=[group or target for group, target in zip(group_ids, target_ids, strict=True)],
            extra={name: triplets.column(name).to_pylist() for name in extra},
            weights=triplets.column(WEIGHT).to_pylist() if WEIGHT in triplets.column_names else (),
        )

    @cached_property
    def right_group_ids(self) -> list[frozenset[str]]:
        """The near-duplicate clusters of all targets of each triplet's query: reference and modification text."""
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        queries = list(zip(self.reference_ids, self.modifications, strict=True))
        for query, group in zip(queries, self.target_group_ids, strict=True):
            found[query].add(group)
        frozen = {query: frozenset(groups) for query, groups in found.items()}
        return [frozen[query] for query in queries]

    def batch(self, rows: Sequence[int], encoder: Encoder) -> TripletBatch:
        """Return the batch of the given rows."""
        references = [Video(self.reference_ids[row]) for row in rows]
        targets = [Video(self.target_ids[row]) for row in rows]
        modifications = [self.modifications[row] for row in rows]
        return TripletBatch(
            reference=encoder.encode_videos(references),
            modification=encoder.encode_texts(modifications),
            target=encoder.encode_videos(targets),
            target_ids=[self.target_ids[row] for row in rows],
            target_group_ids=[self.target_group_ids[row] for row in rows],
            right_group_ids=[self.right_group_ids[row] for row in rows],
            references=references,
            modifications=modifications,
            targets=targets,
            extra={name: [values[row] for row in rows] for name, values in self.extra.items()},
        )


@dataclass(frozen=True)
class TrainingData:
    """Triplets to learn from, and a task to choose the checkpoint on."""

    training_set: TrainingSet
    validation_task: Task
