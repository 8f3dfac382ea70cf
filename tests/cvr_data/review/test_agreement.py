"""agreement: against worked examples from the literature, and where it is undefined."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvr_data.review.report import cohen_kappa, krippendorff_alpha

# Three coders, fifteen units, "*" for no answer: the nominal example of Krippendorff's article, alpha = 0.691.
CODERS = {
    "A": "* * * * * 3 4 1 2 1 1 3 3 * 3",
    "B": "1 * 2 1 3 3 4 3 * * * * * * *",
    "C": "* * 2 1 3 4 4 * 2 1 1 3 3 * 4",
}


def test_kappa_of_a_worked_example():
    # 50 grant proposals: both yes 20, only the first yes 5, only the second yes 10, both no 15.
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohen_kappa(first, second) == pytest.approx(0.4)


def test_alpha_of_a_worked_example_with_missing_answers():
    columns = zip(*(row.split() for row in CODERS.values()), strict=True)
    units = [{name: value for name, value in zip(CODERS, unit, strict=True) if value != "*"} for unit in columns]
    assert krippendorff_alpha(units) == pytest.approx(0.691, abs=5e-4)


def test_without_variation_or_overlap_it_is_undefined():
    assert cohen_kappa([], []) is None
    assert cohen_kappa(["a", "a"], ["a", "a"]) is None
    assert krippendorff_alpha([{"A": "x"}, {"B": "y"}]) is None
    assert krippendorff_alpha([{"A": "x", "B": "x"}] * 3) is None


@given(st.lists(st.sampled_from("ab"), min_size=2, max_size=20).filter(lambda answers: len(set(answers)) == 2))
def test_full_agreement_is_one_and_the_order_of_raters_does_not_matter(answers):
    assert cohen_kappa(answers, answers) == pytest.approx(1)
    assert krippendorff_alpha([{"A": answer, "B": answer} for answer in answers]) == pytest.approx(1)
    turned = answers[1:] + answers[:1]
    units = [{"A": one, "B": other} for one, other in zip(answers, turned, strict=True)]
    assert krippendorff_alpha(units) == pytest.approx(krippendorff_alpha([dict(reversed(u.items())) for u in units]))
    assert cohen_kappa(answers, turned) == pytest.approx(cohen_kappa(turned, answers))
