"""ranking, copies and best_items: counting by words, copies of a vector, and ten best that no rounding can change."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cvr_bench.models.parts.retriever import DenseRetriever
from cvr_bench.scoring.best_items import Best
from cvr_bench.scoring.blocks import equal_scored_gallery_rows, exact_pair_scores
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.scoring.ranking import Cells, count_flagged_scores, count_scores_above
from cvr_bench.tasks.task import Item, Query, Task
from cvr_data.media.video import Video


@pytest.mark.parametrize("width", [1, 7, 8, 1024, 2048, 4104])
def test_flags_are_counted_whatever_the_width(width):
    for flags in (np.ones((3, width), dtype=bool), np.random.default_rng(0).random((3, width)) < 0.5):
        assert count_flagged_scores(flags).tolist() == [sum(row) for row in flags.tolist()]


def test_copies_are_rows_that_are_the_same():
    rows = torch.tensor([[1.0, 2.0], [0.5, 2.0], [1.0, 2.0], [3.0, 4.0], [1.0, 2.0], [0.5, 2.0]])
    copies = equal_scored_gallery_rows(rows)
    assert copies.first_G.tolist() == [0, 1, 0, 3, 0, 1]
    assert copies.number_G.tolist() == [0, 0, 1, 0, 2, 1]


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_counts_among_rivals_are_those_of_a_loop(data):
    rivals = data.draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=20))
    probes = sorted(data.draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=8)))

    def cells(pairs):
        rows = np.array([row for row, _ in pairs], dtype=np.int64)
        return Cells(rows, np.zeros_like(rows)), np.array([score for _, score in pairs], dtype=np.float32)

    expected = [
        [sum(r == row and s > score for r, s in rivals), sum(r == row and s == score for r, s in rivals)]
        for row, score in probes
    ]
    assert count_scores_above(*cells(probes), *cells(rivals)).tolist() == expected


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**16), st.sampled_from([1, 5, 64, 128, 200]), st.sampled_from([2, 30, 10_000]))
def test_the_kept_entries_are_the_highest_and_of_equal_ones_the_first(seed, width, values):
    scores_QG = np.random.default_rng(seed).integers(0, values, (4, 500)).astype(np.float32)
    best = Best(4, k=6)
    for first in range(0, 500, width):
        best.add(scores_QG[:, first : first + width].copy(), first)
    best.merge()
    expected = np.argsort(-scores_QG, axis=1, kind="stable")[:, :6]
    assert best.columns_QK.tolist() == expected.tolist()


def test_exact_scores_are_the_nearest_float32():
    generator = torch.Generator().manual_seed(0)
    queries, gallery = torch.randn(3, 7, generator=generator), torch.randn(5, 7, generator=generator)

    rows, columns = np.array([0, 1, 2, 2]), np.array([4, 0, 3, 1])
    found = exact_pair_scores(queries, gallery)(rows, columns)
    for row, column, score in zip(rows, columns, found.tolist(), strict=True):
        pairs = zip(queries[row].tolist(), gallery[column].tolist(), strict=True)
        exact = sum(Fraction(x) * Fraction(y) for x, y in pairs)
        near = [np.nextafter(np.float32(score), np.float32(way)) for way in (-np.inf, np.inf)]
        assert all(abs(Fraction(score) - exact) <= abs(Fraction(float(one)) - exact) for one in near)


def dense_task(queries_QD, gallery_GD, candidates=None):
    """(task, retriever); query q asks for item q, and refers to item q + 1."""
    gallery = [Item(f"v{n:04d}", Video(f"v{n:04d}")) for n in range(len(gallery_GD))]
    rows = [Query(f"q{n}", gallery[n + 1], "text") for n in range(len(queries_QD))]
    task = Task(
        name="dense",
        queries=rows,
        gallery=gallery,
        targets={row.query_id: frozenset({f"v{n:04d}"}) for n, row in enumerate(rows)},
        candidates=candidates,
    )
    retriever = DenseRetriever(
        lambda queries: queries_QD[[int(query.query_id[1:]) for query in queries]],
        lambda videos: gallery_GD[[int(video.video_id[1:]) for video in videos]],
    )
    return task, retriever


def slow_top(queries_QD, gallery_GD):
    """The ten best of each query by exact scores: a target after its equals, then by id."""
    exact = exact_pair_scores(queries_QD, gallery_GD)
    lists = []
    for row in range(len(queries_QD)):
        columns = np.array([n for n in range(len(gallery_GD)) if n != row + 1])
        scores = exact(np.full(len(columns), row), columns)
        order = sorted(range(len(columns)), key=lambda n: (-scores[n], columns[n] == row, columns[n]))
        lists.append([f"v{columns[n]:04d}" for n in order[:10]])
    return lists


CROWDS = {
    "all alike": lambda generator: torch.ones(300, 1) * torch.randn(1, 24, generator=generator),
    "copies of few": lambda generator: torch.randn(6, 24, generator=generator).repeat(50, 1),
    "nearly alike": lambda generator: 1 + 1e-7 * torch.randint(-4, 5, (300, 24), generator=generator).float(),
    "signs": lambda generator: torch.randint(0, 2, (300, 24), generator=generator).float() - 0.5,
}


@pytest.mark.parametrize("crowd", CROWDS)
@pytest.mark.parametrize("columns", [64, 50])
def test_ranks_and_ten_best_are_exact_in_a_crowd(crowd, columns):
    generator = torch.Generator().manual_seed(0)
    queries_QD, gallery_GD = torch.randn(12, 24, generator=generator), CROWDS[crowd](generator)
    task, retriever = dense_task(queries_QD, gallery_GD)
    ranks = evaluate(retriever, task, chunk=5, columns=columns)
    assert ranks.top.to_pylist() == slow_top(queries_QD, gallery_GD)
    exact = exact_pair_scores(queries_QD, gallery_GD)
    for row in range(12):
        others = np.array([n for n in range(300) if n not in (row, row + 1)])
        scores = exact(np.full(len(others), row), others)
        (target,) = exact(np.array([row]), np.array([row]))
        assert ranks.ties[row] == (scores == target).sum()
        assert ranks.rank[row] == 1 + (scores >= target).sum()


def test_a_list_of_all_candidates_changes_nothing():
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(12, 24, generator=generator), torch.randn(100, 24, generator=generator).repeat(3, 1)
    task, retriever = dense_task(*vectors)
    expected = evaluate(retriever, task)
    everything = frozenset(item.item_id for item in task.gallery)
    listed, retriever = dense_task(*vectors, {query.query_id: everything for query in task.queries})
    found = evaluate(retriever, listed)
    for name in ("rank", "ties", "allowed"):
        assert getattr(found, name).tolist() == getattr(expected, name).tolist()
    assert found.top == expected.top
    assert found.top_scores == expected.top_scores
    assert found.target_ranks == expected.target_ranks


def test_a_query_whose_only_candidate_is_its_target_ranks_it_first():
    vectors = torch.ones(3, 4), torch.ones(9, 4)
    task, retriever = dense_task(*vectors, {f"q{n}": frozenset({f"v{n:04d}"}) for n in range(3)})
    ranks = evaluate(retriever, task)
    assert (ranks.rank.tolist(), ranks.ties.tolist(), ranks.allowed.tolist()) == ([1] * 3, [0] * 3, [1] * 3)
