"""Training triplets whose targets a model takes for answers by mistake: hard negatives of its next epoch."""

# Shapes: C queries of a chunk, G targets, K best kept.

from collections.abc import Iterator

import torch
from torch import Tensor

from cvr_bench.models.parts.batches import TrainingSet
from cvr_bench.models.parts.retriever import Retriever
from cvr_bench.tasks.task import Item, Query

CHUNK = 1024


def mine_hard_rows(retriever: Retriever, training_set: TrainingSet, count: int) -> list[list[int]]:
    """Return for each triplet the rows of `count` others, one per target, whose targets score highest for it.

    Targets of its own query, their near-duplicates and its reference are no mistakes. Costs the scores of all queries
    and targets of training.
    """
    targets = list(dict.fromkeys(training_set.target_ids))
    rows_of: dict[str, list[int]] = {}
    for row, target in enumerate(training_set.target_ids):
        rows_of.setdefault(target, []).append(row)
    retriever.index([Item(target, training_set.video(target)) for target in targets])
    right = _RightAnswers(training_set, targets)
    found: list[list[int]] = []
    for start, scores_CG in _scores(retriever, training_set):
        for row, scores_G in enumerate(scores_CG, start=start):
            scores_G[right.columns(row)] = -torch.inf
        values_CK, best_CK = scores_CG.topk(min(count, len(targets)), dim=1)
        for row, (values, columns) in enumerate(zip(values_CK.tolist(), best_CK.tolist(), strict=True), start=start):
            wrong = [targets[column] for value, column in zip(values, columns, strict=True) if value > -torch.inf]
            found.append([rows_of[target][row % len(rows_of[target])] for target in wrong])
    return found


def _scores(retriever: Retriever, training_set: TrainingSet) -> Iterator[tuple[int, Tensor]]:
    for start in range(0, len(training_set), CHUNK):
        rows = range(start, min(start + CHUNK, len(training_set)))
        queries = [
            Query(
                str(row),
                Item(training_set.reference_ids[row], training_set.video(training_set.reference_ids[row])),
                training_set.modifications[row],
            )
            for row in rows
        ]
        yield start, retriever.score(queries).clone()


class _RightAnswers:
    """Which targets are no mistake for a triplet."""

    def __init__(self, training_set: TrainingSet, targets: list[str]):
        self.training_set = training_set
        self.column_of = {target: column for column, target in enumerate(targets)}
        self.columns_of_group: dict[str, set[int]] = {}
        self.groups_of_query: dict[tuple[str, str], set[str]] = {}
        for row, target in enumerate(training_set.target_ids):
            group = training_set.target_group_ids[row]
            self.columns_of_group.setdefault(group, set()).add(self.column_of[target])
            self.groups_of_query.setdefault(self._query(row), set()).add(group)

    def columns(self, row: int) -> list[int]:
        """Return their columns."""
        columns = set().union(*(self.columns_of_group[group] for group in self.groups_of_query[self._query(row)]))
        own = self.column_of.get(self.training_set.reference_ids[row])
        return sorted(columns | ({own} if own is not None else set()))

    def _query(self, row: int) -> tuple[str, str]:
        return self.training_set.reference_ids[row], self.training_set.modifications[row]
