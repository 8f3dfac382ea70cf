"""What a model is to the bench: it indexes a gallery and scores queries against it, higher is better.

A model whose score is a dot product wraps two functions in `DenseRetriever`; late interaction and re-ranking implement
`Retriever` themselves.
"""

# Shapes: Q queries, G gallery items, D embedding.

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from cvr_bench.models.parts.batches import ReadsAhead, TripletBatch
from cvr_bench.tasks.task import Item, Query
from cvr_data.core.errors import CvrError, first_few
from cvr_data.features.protocol import Encoder, unit_frames_of
from cvr_data.media.video import Video

BATCH = 512
"""Videos or queries that go through the encoders at once."""

Losses = Mapping[str, Tensor]
"""Name -> scalar; the one called `loss` is minimised, the others are logged."""


class Retriever(Protocol):
    """Anything that ranks a gallery for a query."""

    def index(self, gallery: Sequence[Item]) -> None:
        """Prepare the gallery; no relevance label is seen."""

    def score(self, queries: Sequence[Query]) -> Tensor:
        """Return scores_QG, higher is better, columns in the order of the indexed gallery."""


class TrainableRetriever(Retriever, Protocol):
    """A retriever that learns from triplets."""

    module: nn.Module
    """What is trained and saved."""

    def training_step(self, batch: TripletBatch) -> Losses:
        """Return the losses of a batch, with gradients.

        What enters a loss first goes through `batch.joined(rows_BD)` and `batch.joined_ids(ids)`, so that a batch
        spread over devices or chunks has all its negatives and the gradients of one that is whole:

            query_BD, target_BD = batch.joined(module(...)), batch.joined(batch.target.pooled_BD())
            return {"loss": info_nce(scale * loss_similarities(query_BD, target_BD), batch.ignored())}
        """


@runtime_checkable
class MayTrain(Protocol):
    """A retriever that is a `TrainableRetriever` where this is not None."""

    training_step: Callable[[TripletBatch], Losses] | None


@runtime_checkable
class HasNetwork(Protocol):
    """A retriever that may have parameters: `module_of_retriever` asks for them."""

    module: nn.Module | None


@runtime_checkable
class HasEmbeddings(Protocol):
    """A retriever that keeps one embedding per gallery item, once it has indexed."""

    gallery_GD: Tensor | None


@runtime_checkable
class DecodesClips(Protocol):
    """A retriever whose training batches carry clips, which this reads ahead; None where it does not."""

    clip_reader: ReadsAhead | None


class DenseRetriever:
    """Scores by the dot product of a query embedding and a gallery embedding, in float32.

    Args:
        encode_queries: queries -> (Q, D).
        encode_videos: gallery videos -> (G, D).
        encode_texts: gallery texts -> (G, D); None for a model that ranks videos only.
        module: what is trained; None for a model without parameters. It is in eval mode while it indexes and scores.
        training_step: batch -> losses; needed where there is a module to train.
        clip_reader: gives training batches their `clips`, for a model that is trained end to end.
    """

    def __init__(
        self, encode_queries: Callable[[Sequence[Query]], Tensor], encode_videos: Callable[[Sequence[Video]], Tensor],
        *, encode_texts: Callable[[Sequence[str]], Tensor] | None = None, module: nn.Module | None = None,
        training_step: Callable[[TripletBatch], Losses] | None = None, clip_reader: ReadsAhead | None = None,
    ):  # fmt: skip
        self.encode_queries = encode_queries
        self.encode_videos = encode_videos
        self.encode_texts = encode_texts
        self.module = module
        self.training_step = training_step
        self.clip_reader = clip_reader
        self.gallery_GD: Tensor | None = None

    def index(self, gallery: Sequence[Item]) -> None:
        """Embed the gallery and keep it.

        Raises:
            CvrError: an item is a text, which the model cannot embed, or videos and texts are mixed.
            ValueError: an item is a set of texts, which only `caption_sets` can take apart.
        """
        if any(item.texts for item in gallery):
            raise ValueError("Sets of texts are ranked by evaluate(), which gives their texts one by one.")
        videos, texts = retriever_videos_and_texts(gallery, ranks_texts=self.encode_texts is not None)
        with network_in_evaluation_mode(self.module):
            if self.encode_texts is not None and texts:
                self.gallery_GD = _in_batches(self.encode_texts, texts)
            else:
                self.gallery_GD = _in_batches(self.encode_videos, videos)

    def embed(self, queries: Sequence[Query]) -> Tensor:
        """Return the query embeddings, (Q, D) float32."""
        with network_in_evaluation_mode(self.module):
            return _in_batches(self.encode_queries, queries)

    def score(self, queries: Sequence[Query]) -> Tensor:
        """Return scores_QG, the dot product with every gallery embedding."""
        if self.gallery_GD is None:
            raise ValueError("index(gallery) comes before score(queries).")
        return self.embed(queries) @ self.gallery_GD.T


def retriever_videos_and_texts(gallery: Sequence[Item], *, ranks_texts: bool) -> tuple[list[Video], list[str]]:
    """Return the videos of a gallery, or its texts; one of the two is empty.

    Raises:
        CvrError: an item is a text, which the model cannot rank, or videos and texts are mixed.
    """
    videos = [item.video for item in gallery if item.video is not None]
    texts = [item for item in gallery if item.video is None]
    named = first_few(item.item_id for item in texts)
    if texts and not ranks_texts:
        raise CvrError(f"This model ranks videos only; gallery item {named} is a text.")
    if texts and videos:
        raise CvrError(f"A gallery is of videos or of texts; item {named} is a text among videos.")
    return videos, [item.text or "" for item in texts]


def check_retriever_space(encoder: Encoder, model: str) -> None:
    """Refuse an encoder whose videos and texts cannot be compared. Raises CvrError: their widths differ."""
    if encoder.dim != encoder.text_dim:
        widths = f"{encoder.dim} and {encoder.text_dim} wide"
        raise CvrError(f"{model} needs videos and texts in one space; those of {encoder.name!r} are {widths}.")


def check_released_model_frames(encoder: Encoder, model: str, *, unit: bool) -> None:
    """Refuse frames of another length than those that released weights read: of unit length, or as projected.

    Raises:
        CvrError: the features say that they are not so; imported ones do not say.
    """
    found = unit_frames_of(encoder)
    if found is not None and found != unit:
        wanted = "of unit length" if unit else "as the network projects them, of any length"
        raise CvrError(
            f"{model} -o mode=faithful reads frames {wanted}; make the features again: "
            f"cvr embed -o normalise={str(unit).lower()} (or take mode=fixed)."
        )


@contextmanager
def network_in_evaluation_mode(module: nn.Module | None) -> Iterator[None]:
    """Switch gradients and dropout off inside the block."""
    was_training = module is not None and module.training
    if module is not None:
        module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        if module is not None:
            module.train(was_training)


def _in_batches(encode: Callable[[Sequence], Tensor], values: Sequence) -> Tensor:
    """The embeddings of all values, each batch written to its place: a gallery is never held twice."""
    rows_ND: Tensor | None = None
    for start in range(0, len(values), BATCH):
        part = encode(values[start : start + BATCH]).float().cpu()
        if rows_ND is None:
            rows_ND = part.new_empty(len(values), *part.shape[1:])
        rows_ND[start : start + BATCH] = part
    return torch.empty(0, 0) if rows_ND is None else rows_ND


def is_trainable_retriever(retriever: Retriever) -> bool:
    """Return whether the model learns from triplets."""
    return isinstance(retriever, MayTrain) and retriever.training_step is not None


def module_of_retriever(retriever: Retriever) -> nn.Module | None:
    """Return the network of a model; None for one without parameters."""
    return retriever.module if isinstance(retriever, HasNetwork) else None
