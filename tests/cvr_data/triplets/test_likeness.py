"""likeness: of distributions by hand, to people's counts, and which texts are generic."""

import pytest

from cvr_data.language.words import words_of
from cvr_data.triplets.likeness import (
    LIKENESSES,
    OTHER,
    generic_triplet_share,
    human_triplet_texts,
    triplet_count_likeness,
    triplet_likeness_line,
)
from cvr_data.triplets.statistics import triplet_statistics, triplet_text_report
from tests.triplet_tables import triplet, triplets


def test_likeness_is_one_less_the_divergence_in_bits():
    assert triplet_count_likeness({"a": 3, "b": 1}, {"a": 6, "b": 2}) == 1
    assert triplet_count_likeness({"a": 3}, {"b": 1}) == 0
    assert triplet_count_likeness({"a": 1, "b": 1}, {"a": 1}) == pytest.approx(
        1 - 0.311278, abs=1e-4
    )  # mean of two divergences


def test_people_s_counts_hold_no_text_and_two_halves_of_them_are_alike():
    human = human_triplet_texts()
    assert human["texts"] == 1278 == sum(human["words_per_text"].values())
    assert all(len(words_of(word)) == 1 for name in ("words", "first_words") for word in human[name] if word != OTHER)
    assert all(0.95 < human["halves"][name] <= 1 for name in LIKENESSES)


def test_a_dataset_of_one_template_is_less_like_people_than_one_of_several_and_says_what_is_generic():
    def numbers(texts):
        rows = [
            triplet(f"r{n}", text, f"t{n}", changes=[{"kind": "static", "slot": "object", "before": "a", "after": "b"}])
            for n, text in enumerate(texts)
        ]
        return triplet_statistics(triplets(*rows))

    one = numbers(["replace the dog with a cat"] * 12 + ["do something else", "change it"])
    several = numbers(["make it blue", "turn it into a lake", "have the man run", "add a hat", "change it to a cow"])
    for name in ("first_words", "words", "words_per_text"):
        assert one["all"]["likeness"][name] < several["all"]["likeness"][name]
    assert one["all"]["generic"] == {"shared": pytest.approx(100 * 12 / 14, abs=0.01), "shared_by": 10,
                                     "vague": pytest.approx(100 * 2 / 14, abs=0.01)}  # fmt: skip
    assert one["splits"]["train"]["likeness"] == one["all"]["likeness"]
    said = triplet_text_report(one)
    assert "Generic texts       85.71 % of triplets have a text that 10 or more share, 14.29 % name nothing" in said
    assert "One input or both   unknown" in said
    assert "Generic" not in triplet_text_report(one, "pairs") and triplet_likeness_line(None) == "unknown"
    nothing = triplet_statistics(triplets(("a", "x", "b")).slice(0, 0))["all"]
    assert nothing["generic"] is None is nothing["likeness"] is generic_triplet_share({}, 0, 0)
