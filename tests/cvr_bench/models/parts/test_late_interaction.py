"""late_interaction: against the formula pair by pair, whatever the tiles, and with memory for one block only."""

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from cvr_bench.models.parts.late_interaction import (
    BestMatches,
    Parts,
    model_late_interaction_scores,
    model_late_interaction_tiles,
)

DIM = 6


def parts(lengths, seed, padding=3.0, dim=DIM):
    """Items of these lengths, padded with vectors that would win every maximum."""
    generator = torch.Generator().manual_seed(seed)
    longest = max(lengths)
    vectors_BND = F.normalize(torch.randn(len(lengths), longest, dim, generator=generator), dim=-1)
    mask_BN = torch.arange(longest) < torch.tensor(lengths)[:, None]
    weights_BN = torch.rand(len(lengths), longest, generator=generator) * mask_BN
    vectors_BND[~mask_BN] = padding
    return Parts(vectors_BND, mask_BN, weights_BN / weights_BN.sum(dim=1, keepdim=True))


def by_pairs(texts, videos):
    """The formula, one pair after the other."""
    scores_AB = torch.empty(len(texts.mask_BN), len(videos.mask_BN))
    for row, tokens in enumerate(texts.mask_BN):
        for column, frames in enumerate(videos.mask_BN):
            found_LT = texts.vectors_BND[row, tokens] @ videos.vectors_BND[column, frames].T
            of_tokens = texts.weights_BN[row, tokens] @ found_LT.amax(dim=1)
            scores_AB[row, column] = (of_tokens + videos.weights_BN[column, frames] @ found_LT.amax(dim=0)) / 2
    return scores_AB


LENGTHS = st.lists(st.integers(1, 5), min_size=1, max_size=7)


@settings(max_examples=30, deadline=None)
@given(LENGTHS, LENGTHS, st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_blocks_give_the_formula_whatever_the_tiles(text_lengths, video_lengths, text_rows, video_rows, seed):
    texts, videos = parts(text_lengths, seed), parts(video_lengths, seed + 1)
    found = model_late_interaction_scores(
        model_late_interaction_tiles([texts], text_rows), model_late_interaction_tiles([videos], video_rows)
    )
    assert_close(found, by_pairs(texts, videos), atol=1e-6, rtol=0)


@settings(max_examples=30, deadline=None)
@given(LENGTHS, LENGTHS, st.integers(1, 40), st.integers(1, 40), st.integers(1, 3), st.integers(0, 99))
def test_scores_are_the_same_to_the_last_bit_whatever_the_tiles_and_threads(
    text_lengths, video_lengths, text_rows, video_rows, threads, seed
):
    texts, videos = parts(text_lengths, seed, dim=384), parts(video_lengths * 2, seed + 1, dim=384)
    count = len(video_lengths)
    for values in (videos.vectors_BND, videos.weights_BN):
        values[count:] = values[:count]  # copies
    whole = model_late_interaction_scores(
        model_late_interaction_tiles([texts], 999), model_late_interaction_tiles([videos], 999)
    )
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = model_late_interaction_scores(
            model_late_interaction_tiles([texts], text_rows), model_late_interaction_tiles([videos], video_rows)
        )
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found, whole)
    assert torch.equal(whole[:, count:], whole[:, :count])


def test_items_may_come_in_batches_of_any_padding():
    texts, videos = parts([5, 2, 4, 1], 0), parts([3, 3], 1)
    halves = [
        Parts(texts.vectors_BND[:2], texts.mask_BN[:2], texts.weights_BN[:2]),
        Parts(texts.vectors_BND[2:, :4], texts.mask_BN[2:, :4], texts.weights_BN[2:, :4]),
    ]
    assert_close(
        model_late_interaction_scores(
            model_late_interaction_tiles(halves, 8), model_late_interaction_tiles([videos], 8)
        ),
        by_pairs(texts, videos),
    )


def test_one_block_is_held_however_many_items_there_are():
    block = BestMatches()
    for count in (10, 80):
        texts, videos = (
            model_late_interaction_tiles([parts([4] * count, 0)], 16),
            model_late_interaction_tiles([parts([3] * count, 1)], 12),
        )
        model_late_interaction_scores(texts, videos, block)
        assert len(block.room) == 16 * 12


def test_no_items_are_no_scores():
    assert model_late_interaction_scores([], model_late_interaction_tiles([parts([2], 0)], 8)).shape == (0, 1)
