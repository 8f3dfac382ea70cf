"""symmetry: queries meet their way back once, and shares by hand."""

import pyarrow as pa
import pytest

from cvr_bench.scoring.beside import way_back_ranked_queries, way_back_recall


def table(*rows, **columns):
    names = ("reference_id", "target_ids", "rank")
    return pa.table({**dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)), **columns})


def test_a_query_and_its_way_back_meet_once():
    ranks = table(
        ("a", ["b"], 1), ("b", ["a", "c"], 1), ("a", ["c"], 1), ("c", ["x"], 1), ("b", ["a"], 1), ("a", ["b"], 1)
    )
    assert way_back_ranked_queries(ranks).tolist() == [[0, 1], [4, 5]]


def test_texts_of_another_source_are_no_way_back():
    ranks = table(("a", ["b"], 1), ("b", ["a"], 1), backend=["rules", "truth"])
    assert way_back_ranked_queries(ranks).tolist() == []
    assert way_back_recall(ranks, (1,)) is None


def test_the_gap_is_what_one_sided_pairs_have_beyond_independent_queries():
    one_sided = table(*[row for n in range(4) for row in ((f"a{n}", [f"b{n}"], 1), (f"b{n}", [f"a{n}"], 9))])
    assert way_back_recall(one_sided, (1, 10)) == {
        "pairs": 4, "R@1": {"both": 0.0, "one": 100.0, "neither": 0.0, "gap": 50.0},
        "R@10": {"both": 100.0, "one": 0.0, "neither": 0.0, "gap": 0.0},
    }  # fmt: skip
    sides = ((1, 1), (9, 9))
    both_or_none = table(*[row for n, (one, other) in enumerate(sides)
                           for row in ((f"a{n}", [f"b{n}"], one), (f"b{n}", [f"a{n}"], other))])  # fmt: skip
    assert way_back_recall(both_or_none, (1,))["R@1"]["gap"] == pytest.approx(-50.0)
