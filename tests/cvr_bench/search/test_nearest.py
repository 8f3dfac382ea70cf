"""Nearest vectors: what is found with bytes first is what a product with every row finds."""

import pytest
import torch
import torch.nn.functional as F

from cvr_bench.search.inverted import Inverted, search_index_recall
from cvr_bench.search.nearest import Asked, Nearest, Rows


def vectors(count, dim, seed, spread=1.0):
    """Unit vectors around a few centres, so that many are near each other."""
    draw = torch.Generator().manual_seed(seed)
    centres = torch.randn(20, dim, generator=draw)
    return F.normalize(centres[torch.arange(count) % 20] + spread * torch.randn(count, dim, generator=draw), dim=-1)


def plain(rows, query, k, more=0):
    scores = rows.double() @ query.double() + more
    return torch.argsort(scores, descending=True, stable=True)[:k].tolist(), scores


@pytest.mark.parametrize(("count", "dim", "spread"), [(3000, 64, 1.0), (5003, 48, 0.05), (4096, 33, 3.0)])
def test_bytes_first_find_what_a_whole_product_finds(count, dim, spread):
    rows = vectors(count, dim, 0, spread)
    nearest = Nearest(Rows(rows, small=100))
    assert nearest.rows.bytes_ND is not None
    queries = F.normalize(rows[:9] + vectors(9, dim, 1), dim=-1)
    for query, best in zip(queries, nearest.best([Asked(query_D=query, k=11) for query in queries]), strict=True):
        expected, scores = plain(rows, query, 11)
        assert best.scores == pytest.approx(scores[expected].tolist(), abs=1e-5)
        assert {*best.rows} == {*expected} or best.scores == pytest.approx(scores[best.rows].tolist(), abs=1e-5)


def test_a_rough_product_is_off_by_no_more_than_it_says():
    rows = torch.cat([vectors(2000, 64, 2), 30 * vectors(50, 64, 3), torch.zeros(3, 64)])
    queries = torch.cat([vectors(5, 64, 4), 12 * vectors(2, 64, 5)])
    rough, off = Rows(rows, small=10).rough(queries)
    assert (rough.float() - queries @ rows.T).abs().amax(1).le(off).all()
    assert off[0] < 0.7  # of scores up to 30


def test_a_copy_that_is_multiplied_in_pieces_gives_the_same(monkeypatch):
    rows, queries = Rows(vectors(1000, 70, 10), small=10), vectors(6, 70, 11)
    whole, _ = rows.rough(queries)
    monkeypatch.setattr("cvr_bench.search.nearest.MOST_BYTES", 128 * 300)
    assert rows.rough(queries)[0].equal(whole)


def test_few_rows_many_wanted_and_copies_are_found_in_their_order():
    rows = vectors(40, 16, 6)
    rows[7] = rows[3] = rows[20]
    for small in (10, 100):
        found = Nearest(Rows(rows, small=small)).best([Asked(query_D=rows[20], k=100)])[0]
        assert found.rows[:3] == [3, 7, 20]
        assert sorted(found.rows) == list(range(40))


def test_what_it_should_be_far_from_may_lie_in_another_space():
    rows, other = vectors(3000, 64, 7), vectors(3000, 24, 8)
    query, away = rows[5], -0.5 * other[900]
    nearest = Nearest(Rows(rows, small=100), Rows(other, small=100))
    expected, scores = plain(rows, query, 20, other.double() @ away.double())
    asked = [Asked(query_D=query, away_D=away, k=20), Asked(query_D=query, k=20)]
    found = nearest.best(asked)
    assert found[0].rows == expected
    assert found[0].scores == pytest.approx(scores[expected].tolist(), abs=1e-5)
    assert found[1].rows == plain(rows, query, 20)[0]


@pytest.mark.slow
def test_an_index_of_cells_finds_most_and_all_if_it_looks_everywhere():
    rows = vectors(6000, 32, 9, spread=0.5)
    nearest = Nearest(Rows(rows, small=100))
    everywhere = Inverted(nearest, probes=10_000)
    assert everywhere.recall == 1.0
    some = Inverted(nearest, probes=4)
    assert 0.3 < some.recall == search_index_recall(some) < 1.0
    query = F.normalize(rows[3] + rows[4], dim=-1)
    best = everywhere.best(Asked(query_D=query, k=5))
    assert best.rows == plain(rows, query, 5)[0]
    assert best.scores == pytest.approx((rows[best.rows] @ query).tolist(), abs=1e-6)
