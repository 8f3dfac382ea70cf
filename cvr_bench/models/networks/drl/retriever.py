"""Rank videos for texts, or texts for videos, by a score of their parts; queries say which by what the gallery holds.

A composed query is its modification text here: the reference video is not looked at.
"""

# Shapes: Q queries, G gallery items, D embedding.

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from cvr_bench.models.networks.drl.network import DrlNetwork
from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.models.parts.late_interaction import (
    TEXT_ROWS,
    VIDEO_ROWS,
    BestMatches,
    BlockScores,
    Parts,
    Tile,
    model_late_interaction_scores,
    model_late_interaction_tiles,
)
from cvr_bench.models.parts.retriever import (
    BATCH,
    DenseRetriever,
    Losses,
    network_in_evaluation_mode,
    retriever_videos_and_texts,
)
from cvr_bench.tasks.task import Item, Query, task_modifications, task_references
from cvr_data.media.video import Video

TextParts = Callable[[Sequence[str]], Parts]
VideoParts = Callable[[Sequence[Video]], Parts]


class LateRetriever:
    """Keeps the parts of the gallery, and compares them with those of the queries block by block.

    The module is in eval mode while it indexes and scores. A `block` of None is the token-wise interaction, whose
    scores are exact; those of another are as exact as its network.
    """

    def __init__(
        self, module: nn.Module, text_parts: TextParts, video_parts: VideoParts,
        training_step: Callable[[TripletBatch], Losses], block: BlockScores | None = None,
    ):  # fmt: skip
        self.module, self.training_step = module, training_step
        self.text_parts, self.video_parts = text_parts, video_parts
        self.block = block or BestMatches()
        self.is_exact = block is None
        self.of_texts = False
        self.gallery: list[Tile] | None = None
        self.columns_G = torch.empty(0, dtype=torch.long)

    def index(self, gallery: Sequence[Item]) -> None:
        """Keep the parts of the gallery; texts that say the same are kept once, and so score the same.

        Raises:
            CvrError: videos and texts are mixed.
        """
        videos, texts = retriever_videos_and_texts(gallery, ranks_texts=True)
        self.of_texts = bool(texts)
        if self.of_texts:
            row_of: dict[str, int] = {}
            self.columns_G = torch.tensor([row_of.setdefault(text, len(row_of)) for text in texts])
            self.gallery = self._texts(list(row_of))
        else:
            self.columns_G = torch.arange(len(videos))
            self.gallery = self._videos(videos)

    def score(self, queries: Sequence[Query]) -> Tensor:
        """Return scores_QG. Raises CvrError: a query lacks the text or, where texts are ranked, the video."""
        if self.gallery is None:
            raise ValueError("index(gallery) comes before score(queries).")
        with network_in_evaluation_mode(self.module):
            if self.of_texts:
                return model_late_interaction_scores(
                    self.gallery, self._videos(task_references(queries)), self.block
                ).T[:, self.columns_G]
            return model_late_interaction_scores(self._texts(task_modifications(queries)), self.gallery, self.block)

    def _texts(self, texts: Sequence[str]) -> list[Tile]:
        return self._tiles(self.text_parts, texts, TEXT_ROWS)

    def _videos(self, videos: Sequence[Video]) -> list[Tile]:
        return self._tiles(self.video_parts, videos, VIDEO_ROWS)

    def _tiles(self, encode: Callable[[Sequence], Parts], things: Sequence, rows: int) -> list[Tile]:
        def batches() -> Iterator[Parts]:
            for start in range(0, len(things), BATCH):
                yield encode(things[start : start + BATCH])

        with network_in_evaluation_mode(self.module):
            return model_late_interaction_tiles(batches(), rows)


def drl_vector_retriever(
    module: nn.Module,
    text_parts: TextParts,
    video_parts: VideoParts,
    training_step: Callable[[TripletBatch], Losses],
) -> DenseRetriever:
    """Return the retriever of items that have one part each: a dot product."""

    def encode_texts(texts: Sequence[str]) -> Tensor:
        return text_parts(texts).vectors_BND[:, 0]

    def encode_videos(videos: Sequence[Video]) -> Tensor:
        return video_parts(videos).vectors_BND[:, 0]

    def encode_queries(queries: Sequence[Query]) -> Tensor:
        if all(query.modification is None for query in queries):
            return encode_videos(task_references(queries))
        return encode_texts(task_modifications(queries))

    return DenseRetriever(
        encode_queries, encode_videos, encode_texts=encode_texts, module=module, training_step=training_step
    )


def drl_cross_block(network: DrlNetwork) -> BlockScores:
    """Return xti's block: every text goes through the network with every video, one text at a time."""

    def block(text: Tile, video: Tile) -> Tensor:
        frames_CTD = video.vectors_NBD.transpose(0, 1)
        mask_CT = torch.arange(frames_CTD.shape[1], device=frames_CTD.device) < video.counts_B[:, None]
        rows = [
            network.pair_scores(text_D.expand(len(frames_CTD), -1), frames_CTD, mask_CT)
            for text_D in text.vectors_NBD[0]
        ]
        return torch.stack(rows)

    return block
