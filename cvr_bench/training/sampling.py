"""Which triplets an epoch visits, in which order, and which of them are hard negatives of each other.

Hard negatives of an epoch are triplets whose targets the model took for answers by mistake when it was last validated.
"""

# Shapes: N triplets, U units (triplets, or targets with several), C queries of a chunk, G targets, K best kept.

from collections import Counter
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from cvr_bench.models.parts.batches import TrainingSet
from cvr_bench.models.parts.retriever import Retriever
from cvr_bench.tasks.task import Item, Query
from cvr_bench.training.config import TrainConfig
from cvr_data.media.video import Video


class Sampler:
    """Gives the rows of each epoch, all epochs as many."""

    def __init__(self, training_set: TrainingSet, config: TrainConfig):
        self.config = config
        rows_of: dict[str | int, list[int]] = {}
        for row, target in enumerate(training_set.target_ids):
            rows_of.setdefault(row if config.sampling == "triplet" else target, []).append(row)
        self.units = list(rows_of.values())
        weights = training_set.weights
        self.weights_U = torch.tensor([weights[unit[0]] for unit in self.units]) if len(weights) else None
        self.size = self._size(len(training_set))

    @property
    def steps(self) -> int:
        """How many batches an epoch has; a smaller last one counts only where it is the only one."""
        return max(1, self.size // self.config.batch_size)

    @property
    def used(self) -> int:
        """How many rows of an epoch are in its batches."""
        return min(self.size, self.steps * self.config.batch_size)

    def rows(self, generator: torch.Generator, hard_rows: Sequence[Sequence[int]] = ()) -> list[int]:
        """Return the rows of the next epoch.

        Args:
            generator: of the order, and of what is drawn.
            hard_rows: for each triplet those to place next to it, as far as the epoch has them.
        """
        drawn = self._balanced(generator) if self.config.sampling == "balanced" else self._units(generator)
        return next_to_hard_rows(drawn, hard_rows) if hard_rows else drawn

    def batches(self, rows: Sequence[int]) -> Iterator[Sequence[int]]:
        """Yield the rows of each batch."""
        size = self.config.batch_size
        for step in range(self.steps):
            yield rows[step * size : (step + 1) * size]

    def _size(self, triplets: int) -> int:
        if self.config.sampling == "balanced":
            return triplets
        if self.weights_U is None:
            return len(self.units)
        weights, counts = self.weights_U.unique(return_counts=True)
        return sum(round(weight * count) for weight, count in zip(weights.tolist(), counts.tolist(), strict=True))

    def _units(self, generator: torch.Generator) -> list[int]:
        """Every unit, as often as its weight says, with one of its triplets."""
        chosen = self._weighted(generator)[torch.randperm(self.size, generator=generator)]
        if self.config.sampling == "triplet":
            return chosen.tolist()
        return self._any_of(chosen, generator)

    def _weighted(self, generator: torch.Generator) -> Tensor:
        if self.weights_U is None:
            return torch.arange(len(self.units))
        parts = []
        for weight in self.weights_U.unique().tolist():
            own = (self.weights_U == weight).nonzero().flatten()
            whole = int(weight)
            more = own[torch.randperm(len(own), generator=generator)[: round(weight * len(own)) - whole * len(own)]]
            parts += [own.repeat(whole), more]
        return torch.cat(parts)

    def _balanced(self, generator: torch.Generator) -> list[int]:
        sizes_U = torch.tensor([len(unit) for unit in self.units], dtype=torch.float64)
        shares_U = sizes_U ** (1 / self.config.balance) * (1.0 if self.weights_U is None else self.weights_U)
        ends_U = shares_U.cumsum(0)
        drawn_N = torch.rand(self.size, generator=generator, dtype=torch.float64) * ends_U[-1]
        units_N = torch.searchsorted(ends_U, drawn_N, right=True).clamp(max=len(self.units) - 1)
        return self._any_of(units_N, generator)

    def _any_of(self, chosen: Tensor, generator: torch.Generator) -> list[int]:
        shares = torch.rand(len(chosen), generator=generator, dtype=torch.float64).tolist()
        units = (self.units[unit] for unit in chosen.tolist())
        return [unit[int(share * len(unit))] for unit, share in zip(units, shares, strict=True)]


def next_to_hard_rows(rows: Sequence[int], hard_rows: Sequence[Sequence[int]]) -> list[int]:
    """Return the same rows, each followed by its hard ones that are not placed yet."""
    left = Counter(rows)
    placed = []
    for row in rows:
        for each in (row, *hard_rows[row]) if left[row] else ():
            if left[each]:
                left[each] -= 1
                placed.append(each)
    return placed


CHUNK = 1024


def sample_training_hard_negatives(retriever: Retriever, training_set: TrainingSet, count: int) -> list[list[int]]:
    """Return for each triplet the rows of `count` others, one per target, whose targets score highest for it.

    Targets of its own query, their near-duplicates and its reference are no mistakes. Costs the scores of all queries
    and targets of training.
    """
    targets = list(dict.fromkeys(training_set.target_ids))
    rows_of: dict[str, list[int]] = {}
    for row, target in enumerate(training_set.target_ids):
        rows_of.setdefault(target, []).append(row)
    retriever.index([Item(target, Video(target)) for target in targets])
    right = _RightAnswers(training_set, targets)
    found: list[list[int]] = []
    for start, scores_CG in _training_scores(retriever, training_set):
        for row, scores_G in enumerate(scores_CG, start=start):
            scores_G[right.columns(row)] = -torch.inf
        values_CK, best_CK = scores_CG.topk(min(count, len(targets)), dim=1)
        for row, (values, columns) in enumerate(zip(values_CK.tolist(), best_CK.tolist(), strict=True), start=start):
            wrong = [targets[column] for value, column in zip(values, columns, strict=True) if value > -torch.inf]
            found.append([rows_of[target][row % len(rows_of[target])] for target in wrong])
    return found


def _training_scores(retriever: Retriever, training_set: TrainingSet) -> Iterator[tuple[int, Tensor]]:
    for start in range(0, len(training_set), CHUNK):
        rows = range(start, min(start + CHUNK, len(training_set)))
        references = [training_set.reference_ids[row] for row in rows]
        described = training_set.extra.get("reference_description")
        queries = [
            Query(
                str(row),
                Item(reference, Video(reference)),
                training_set.modifications[row],
                description=described[row] if described else None,
            )
            for row, reference in zip(rows, references, strict=True)
        ]
        yield start, retriever.score(queries).clone()


class _RightAnswers:
    """Which targets are no mistake for a triplet."""

    def __init__(self, training_set: TrainingSet, targets: list[str]):
        self.training_set = training_set
        self.column_of = {target: column for column, target in enumerate(targets)}
        self.columns_of_group: dict[str, set[int]] = {}
        for target, group in zip(training_set.target_ids, training_set.target_group_ids, strict=True):
            self.columns_of_group.setdefault(group, set()).add(self.column_of[target])

    def columns(self, row: int) -> list[int]:
        """Return their columns."""
        columns = set().union(*(self.columns_of_group[group] for group in self.training_set.right_group_ids[row]))
        own = self.column_of.get(self.training_set.reference_ids[row])
        return sorted(columns | ({own} if own is not None else set()))
