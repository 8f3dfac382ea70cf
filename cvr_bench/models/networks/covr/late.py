"""Late interaction with learned weights, of ReTrack and HUD: each query token's best target token, weighted.

A gallery is indexed once, as tokens; scores of all pairs are worked out block by block.
"""

# Shapes: B, C queries and candidates, K query tokens, L target tokens, D embedding; Q all queries, G the gallery.

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.models.parts.device import network_device
from cvr_bench.models.parts.retriever import BATCH, Losses, network_in_evaluation_mode, retriever_videos_and_texts
from cvr_bench.tasks.task import Item, Query
from cvr_data.media.video import Video

BLOCK = 1 << 24
"""Products of tokens held at once: 64 MB."""
SHARPNESS = 0.01
"""What is divided by before each softmax of the weights, as released."""


def model_late_interaction_matches(query_BKD: Tensor, target_CLD: Tensor, less_BKL: Tensor | None = None) -> Tensor:
    """Return best_BCK: for every token of a query its largest product with a token of each candidate.

    `less_BKL` is taken off these products first, the same for all candidates.
    """
    (count, tokens, dim), others = query_BKD.shape, target_CLD.flatten(0, 1).T
    at_once = max(1, BLOCK // max(1, tokens * others.shape[1]))
    parts = []
    for start in range(0, count, at_once):
        rows = slice(start, start + at_once)
        products = (query_BKD[rows].reshape(-1, dim) @ others).view(-1, tokens, *target_CLD.shape[:2])
        if less_BKL is not None:
            products = products - less_BKL[rows, :, None]
        parts.append(products.max(dim=-1).values.transpose(1, 2))
    return torch.cat(parts) if parts else query_BKD.new_empty(0, len(target_CLD), tokens)


def learned_pool(best_BCK: Tensor, weight_KK: Tensor) -> Tensor:
    """Return scores_BC: the mean of the best products, with weights that come from them and a learned matrix."""
    shares_BCK = (best_BCK / SHARPNESS).softmax(dim=-1)
    return ((shares_BCK @ weight_KK / SHARPNESS).softmax(dim=-1) * best_BCK).sum(dim=-1)


class TokenRetriever:
    """A retriever of queries and videos that are as many tokens each; the module is in eval mode while it works.

    Args:
        encode_queries: queries -> (B, K, D).
        encode_videos: gallery videos -> (C, L, D).
        score: both -> scores_BC.
    """

    def __init__(
        self, encode_queries: Callable[[Sequence[Query]], Tensor], encode_videos: Callable[[Sequence[Video]], Tensor],
        score: Callable[[Tensor, Tensor], Tensor], *, module: nn.Module,
        training_step: Callable[[TripletBatch], Losses], at_once: int = BATCH,
    ):  # fmt: skip
        self.encode_queries, self.encode_videos, self.score_pairs = encode_queries, encode_videos, score
        self.module, self.training_step, self.at_once = module, training_step, at_once
        self.gallery_GLD: Tensor | None = None

    def index(self, gallery: Sequence[Item]) -> None:
        """Keep the tokens of the gallery, in main memory. Raises CvrError: an item is a text."""
        videos, _ = retriever_videos_and_texts(gallery, ranks_texts=False)
        self.gallery_GLD = self._in_parts(self.encode_videos, videos)

    def score(self, queries: Sequence[Query]) -> Tensor:
        """Return scores_QG."""
        if self.gallery_GLD is None:
            raise ValueError("index(gallery) comes before score(queries).")
        tokens_QKD, device = self._in_parts(self.encode_queries, queries), network_device(self.module)
        scores_QG = torch.empty(len(queries), len(self.gallery_GLD))
        per_pair = max(1, tokens_QKD.shape[1] * self.gallery_GLD.shape[1])
        columns = max(1, min(len(self.gallery_GLD), BLOCK // per_pair))
        rows = max(1, BLOCK // (per_pair * columns))
        with network_in_evaluation_mode(self.module):
            for column in range(0, len(self.gallery_GLD), columns):
                target_CLD = self.gallery_GLD[column : column + columns].to(device)
                for row in range(0, len(queries), rows):
                    found_BC = self.score_pairs(tokens_QKD[row : row + rows].to(device), target_CLD)
                    scores_QG[row : row + rows, column : column + columns] = found_BC.float().cpu()
        return scores_QG

    def _in_parts(self, encode: Callable[[Sequence], Tensor], things: Sequence) -> Tensor:
        with network_in_evaluation_mode(self.module):
            parts = [
                encode(things[start : start + self.at_once]).float().cpu()
                for start in range(0, len(things), self.at_once)
            ]
        return torch.cat(parts) if parts else torch.empty(0, 0, 0)
