"""condensed: against the formulas read one item at a time, and what nobody judged must not matter."""

import random

import pytest

from cvr_bench.scoring.condensed import best_rank, bpref, condensed_ranking


def slow_bpref(order, grades):
    """Buckley and Voorhees' formula, for each right answer on its own."""
    right = [item for item in grades if grades[item] > 0]
    wrong = [item for item in grades if grades[item] == 0]
    total = 0.0
    for item in right:
        if item in order:
            above = [other for other in wrong if other in order and order.index(other) < order.index(item)]
            total += 1 - min(len(above), len(right)) / min(len(right), len(wrong)) if above else 1
    return 100 * total / len(right)


@pytest.mark.parametrize("seed", range(30))
def test_bpref_is_that_of_the_formula_and_unjudged_items_do_not_matter(seed):
    at = random.Random(seed)
    order = [f"v{number}" for number in range(20)]
    grades = {name: at.choice([0, 0, 1, 2]) for name in at.sample([*order, "lost"], 9)} | {"v3": 1}
    at.shuffle(order)
    assert bpref(order, grades) == pytest.approx(slow_bpref(order, grades))
    assert bpref(condensed_ranking(order, grades), grades) == bpref(order, grades)


def test_a_condensed_list_has_the_judged_items_in_their_order():
    order, grades = ["a", "b", "c", "d"], {"d": 2, "b": 0}
    assert condensed_ranking(order, grades) == ["b", "d"]
    assert (best_rank(order, grades), best_rank(["b", "d"], grades), best_rank(["b"], grades)) == (4, 2, 2)


def test_bpref_by_hand():
    assert bpref(["r1", "n1", "r2", "n2"], {"r1": 1, "r2": 1, "n1": 0, "n2": 0}) == 75.0
    assert bpref(["n1", "r1"], {"r1": 1, "n1": 0}) == 0.0
    with pytest.raises(ValueError, match="needs a right answer"):
        bpref(["n1"], {"n1": 0})
