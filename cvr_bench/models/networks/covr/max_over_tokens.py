"""Score by the best pair of a query token and a gallery token, as CoVR-2 does on CIRR; memory is bounded by a block.

The released code holds all pairs at once, 139 GB on CIRR's val split.
"""

# Shapes: Q queries, G gallery videos, K tokens of a query, T tokens of a video (padded), D embedding.

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from cvr_bench.models.networks.covr.objective import in_parts
from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.models.parts.retriever import Losses, evaluating, videos_and_texts
from cvr_bench.tasks.task import Item, Query
from cvr_data.media.video import Video

BLOCK = 1 << 24
"""Products held at once: 64 MB."""
BATCH = 256
"""Videos read at once."""


class MaxOverTokens:
    """A retriever whose queries and videos are several tokens each.

    Args:
        encode_queries: queries -> (Q, K, D).
        encode_videos: videos -> one (T, D) each.
        module: what is trained.
        training_step: batch -> losses.
    """

    def __init__(
        self,
        encode_queries: Callable[[Sequence[Query]], Tensor],
        encode_videos: Callable[[Sequence[Video]], list[Tensor]],
        *,
        module: nn.Module,
        training_step: Callable[[TripletBatch], Losses],
    ):
        self.encode_queries, self.encode_videos = encode_queries, encode_videos
        self.module, self.training_step = module, training_step
        self.tokens_ND = torch.empty(0, 0)
        self.owners_N = torch.empty(0, dtype=torch.int64)
        self.size = 0

    def index(self, gallery: Sequence[Item]) -> None:
        """Keep the tokens of the gallery.

        Raises:
            CvrError: an item is a text.
        """
        videos, _ = videos_and_texts(gallery, ranks_texts=False)
        with evaluating(self.module):
            parts = [self.encode_videos(videos[start : start + BATCH]) for start in range(0, len(videos), BATCH)]
        rows = [tokens_TD.float().cpu() for part in parts for tokens_TD in part]
        self.size = len(rows)
        self.tokens_ND = torch.cat(rows) if rows else torch.empty(0, 0)
        self.owners_N = torch.arange(len(rows)).repeat_interleave(torch.tensor([len(row) for row in rows]))

    def score(self, queries: Sequence[Query]) -> Tensor:
        """Return scores_QG, the largest dot product of a token of the query and one of the video."""
        with evaluating(self.module):
            tokens_QKD = self.encode_queries(queries).float().cpu()
        at_once = max(1, BLOCK // max(1, tokens_QKD.shape[1] * len(self.tokens_ND)))

        def best(part: slice) -> Tensor:
            best_QN = (tokens_QKD[part] @ self.tokens_ND.T).amax(dim=1)
            empty_QG = best_QN.new_full((len(best_QN), self.size), -torch.inf)
            return empty_QG.scatter_reduce(1, self.owners_N.expand_as(best_QN), best_QN, "amax")

        return in_parts(len(queries), at_once, best)
