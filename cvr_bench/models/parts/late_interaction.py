"""Score texts against videos by their parts: each token with its best frame and each frame with its best token.

    scores_AB = model_late_interaction_scores(model_late_interaction_tiles(texts), model_late_interaction_tiles(videos))

An item is a list of unit vectors with weights that add up to one. Its tokens' best similarities, weighted, are averaged
with its partner's frames' best ones: one score for both directions. Items of like length lie in tiles, so that hardly
a product is spent on padding, and one block of token-frame similarities is held, however many items there are.

Scores are exact: vectors and weights are brought to a grid so fine that it moves a score less than float32 does, and so
coarse that float64 holds every product and every sum of them whole. So whatever the order of a sum, the tiles, the
chunks and the threads, a pair has the same score, and copies of an item score the same.

Source: the (weighted) token-wise interaction of Wang et al., 2022 (https://arxiv.org/abs/2203.07111).
"""

# Shapes: B items, N parts of an item (tokens or frames), D embedding, A texts, C videos of a tile, L tokens, T frames.

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from cvr_data.core.device import map_torch_batches

TEXT_ROWS, VIDEO_ROWS = 512, 768
"""Tokens and frames of a tile: a block of their similarities stays in the cache of one core."""
GRID = 2.0**26
"""Steps of the grid per unit: the product of two is a multiple of 2^-52, and a sum of those up to 2 has 53 bits."""


@dataclass(frozen=True)
class Parts:
    """Some items, padded at the end."""

    vectors_BND: Tensor
    """Unit length, where the interaction is a cosine; anything where an item is padded."""
    mask_BN: Tensor
    """bool, False where an item is padded; at least one True in each row."""
    weights_BN: Tensor
    """Zero where an item is padded."""


@dataclass(frozen=True)
class Tile:
    """Items of like length, side by side: all first parts, then all second ones, ..."""

    vectors_NBD: Tensor
    """Padded with an item's own last part, which cannot change a maximum."""
    weights_NB: Tensor
    counts_B: Tensor
    """Parts that are not padding."""
    places_B: Tensor
    """Where these items stand among all."""


Features = TypeVar("Features")

BlockScores = Callable[[Tile, Tile], Tensor]
"""(texts, videos) -> scores of all pairs, (A, C)."""


def model_late_interaction_tiles(parts: Iterable[Parts], rows: int) -> list[Tile]:
    """Return all items of some batches in tiles of about `rows` parts, sorted by length."""
    lists: list[tuple[Tensor, Tensor]] = []
    for batch in parts:
        for vectors_ND, mask_N, weights_N in zip(batch.vectors_BND, batch.mask_BN, batch.weights_BN, strict=True):
            lists.append((vectors_ND[mask_N], weights_N[mask_N]))
    order = sorted(range(len(lists)), key=lambda place: len(lists[place][0]))
    found, start = [], 0
    while start < len(order):
        size = 1
        while start + size < len(order) and len(lists[order[start + size]][0]) * (size + 1) <= rows:
            size += 1
        found.append(_tile(lists, order[start : start + size]))
        for place in order[start : start + size]:
            lists[place] = (lists[place][0][:0], lists[place][1][:0])  # items are never held twice
        start += size
    return found


def model_late_interaction_scores(
    texts: Sequence[Tile], videos: Sequence[Tile], block: BlockScores | None = None
) -> Tensor:
    """Return scores_AB in float32 on the CPU, in the order of the items before they were put into tiles."""
    score = block or BestMatches()
    scores_AB = torch.empty(_count(texts), _count(videos))
    for text in texts:
        rows_AC = torch.empty(len(text.places_B), scores_AB.shape[1])
        for video in videos:
            rows_AC[:, video.places_B] = score(text, video).float().cpu()
        scores_AB[text.places_B] = rows_AC
    return scores_AB


class BestMatches:
    """The block of the weighted token-wise interaction; the room for similarities is taken once."""

    def __init__(self) -> None:
        self.room = torch.empty(0)

    def __call__(self, text: Tile, video: Tile) -> Tensor:
        """Return scores_AC: half the weighted best frames of tokens, half the weighted best tokens of frames."""
        (length, texts, dim), (frames, videos, _) = text.vectors_NBD.shape, video.vectors_NBD.shape
        rows, columns = length * texts, frames * videos
        if len(self.room) < rows * columns or self.room.device != text.vectors_NBD.device:
            self.room = text.vectors_NBD.new_empty(rows * columns, dtype=torch.float64)
        flat = self.room[: rows * columns].view(rows, columns)
        torch.mm(_on_grid(text.vectors_NBD).view(-1, dim), _on_grid(video.vectors_NBD).view(-1, dim).T, out=flat)
        found_LATC = flat.view(length, texts, frames, videos)
        best_frame_LAC = _on_grid(found_LATC.amax(dim=2))
        best_token_ATC = _on_grid(found_LATC.amax(dim=0))
        of_tokens_AC = best_frame_LAC.mul_(_on_grid(text.weights_NB).unsqueeze(-1)).sum(dim=0)
        return of_tokens_AC.add_(best_token_ATC.mul_(_on_grid(video.weights_NB)).sum(dim=1)).mul_(0.5)


def retriever_parts_singly(make: Callable[[Features], Parts], items: Sequence[Features], device: torch.device) -> Parts:
    """Return the parts of all items, each made alone: what a network gives then depends on nothing but the item.

    `items` are batches of one without padding; on a CPU every core makes some of them, in one thread each.
    """
    with_gradients = torch.is_grad_enabled()

    def one(item: Features) -> Parts:
        with torch.set_grad_enabled(with_gradients):  # threads have a setting of their own
            return make(item)

    made = map_torch_batches(one, items, device)
    padded = (
        pad_sequence([values[0] for values in column], batch_first=True)
        for column in zip(*((each.vectors_BND, each.mask_BN, each.weights_BN) for each in made), strict=True)
    )
    return Parts(*padded)


def _on_grid(values: Tensor) -> Tensor:
    return (values.double() * GRID).round_().div_(GRID)


def _tile(lists: Sequence[tuple[Tensor, Tensor]], places: Sequence[int]) -> Tile:
    counts_B = torch.tensor([len(lists[place][0]) for place in places])
    longest = int(counts_B.max())
    first = lists[places[0]][0]
    vectors_NBD = first.new_empty(longest, len(places), first.shape[1])
    weights_NB = first.new_zeros(longest, len(places))
    for column, place in enumerate(places):
        vectors_ND, weights_N = lists[place]
        vectors_NBD[: len(vectors_ND), column] = vectors_ND
        vectors_NBD[len(vectors_ND) :, column] = vectors_ND[-1]
        weights_NB[: len(vectors_ND), column] = weights_N
    return Tile(vectors_NBD, weights_NB, counts_B.to(first.device), torch.tensor(places))


def _count(all_tiles: Sequence[Tile]) -> int:
    return sum(len(tile.places_B) for tile in all_tiles)
