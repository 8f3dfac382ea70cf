"""Rank sets of captions: the score of a set is that of its best caption.

Source: the multi-sentence evaluation of CLIP4Clip, Luo et al., 2021 (https://arxiv.org/abs/2104.08860), video to text.
"""

# Shapes: Q queries, T texts, G sets.

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cvr_bench.models.parts.retriever import Retriever
from cvr_bench.tasks.task import Item, Query


def retriever_scoring_caption_sets(retriever: Retriever, gallery: Sequence[Item]) -> Retriever:
    """Return the retriever, or one that ranks sets where the gallery holds these."""
    return BestOfSet(retriever) if any(item.texts for item in gallery) else retriever


class BestOfSet:
    """Has another retriever score every text of every set."""

    def __init__(self, retriever: Retriever):
        self.retriever, self.is_exact = retriever, getattr(retriever, "is_exact", False)
        self.starts_G = np.empty(0, dtype=np.int64)

    def index(self, gallery: Sequence[Item]) -> None:
        """Prepare the texts, set by set."""
        sizes = [len(item.texts) for item in gallery]
        self.starts_G = np.cumsum([0, *sizes[:-1]])
        texts = [
            Item(f"{item.item_id}#{number}", text=text) for item in gallery for number, text in enumerate(item.texts)
        ]
        self.retriever.index(texts)

    def score(self, queries: Sequence[Query]) -> Tensor:
        """Return scores_QG."""
        scores_QT = self.retriever.score(queries).float().cpu().numpy()
        return torch.from_numpy(np.maximum.reduceat(scores_QT, self.starts_G, axis=1))
