"""Filters of pairs: for each what it drops, what it keeps, and what must not matter."""

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvr_data.core.errors import CvrError
from cvr_data.filters import FILTERS
from tests.pair_tables import pair, pair_table


def reasons(name, rows, *options):
    return FILTERS.get(name).run(FILTERS.config(name, options), rows)["drop_reason"].to_pylist()


@pytest.mark.parametrize(
    ("name", "row", "options", "expected"),
    [
        ("min-words", pair("cat", "dog"), (), "few_words"),
        ("min-words", pair("- cat", "- dog"), (), "few_words"),
        ("min-words", pair("a cat", "a dog"), ("min_words=3",), "few_words"),
        ("min-words", pair("a cat", "a dog"), (), None),
        ("max-words", pair("a " * 40 + "cat", "a " * 40 + "dog"), (), "many_words"),
        ("max-words", pair("a " * 39 + "cat", "a " * 39 + "dog"), (), None),
        ("digits", pair("clip 12 of it", "clip 13 of it"), (), "digit"),
        ("digits", pair("in 4k colour", "in hd colour"), (), "digit"),
        ("digits", pair("4k a red ball", "4k a blue ball"), (), None),
        ("templates", pair("Flag of peru waves", "flag of chad waves"), (), "template"),
        ("templates", pair("a concept, of war", "a concept, of love"), (), "template"),
        ("templates", pair("a flagof peru", "a flagof chad"), (), None),
        ("templates", pair("my idea of peru", "my idea of chad"), ("phrases=idea of",), "template"),
        ("straddling", pair(target_split="test"), (), "straddles_splits"),
        ("straddling", pair(target_split=None), (), "straddles_splits"),
        ("straddling", pair(reference_split=None, target_split=None), (), None),
        ("straddling", pair(reference_group_id="g", target_group_id="g"), (), "near_duplicates"),
        ("straddling", pair(reference_group_id="g", target_group_id="g"), ("near_duplicates=false",), None),
        ("straddling", pair(reference_group_id=None, target_group_id=None), (), None),
        ("text-similarity", pair(text_similarity=0.4), (), "text_too_different"),
        ("text-similarity", pair(text_similarity=0.98), (), "text_too_similar"),
        ("text-similarity", pair(text_similarity=0.5), (), None),
        ("text-similarity", pair(text_similarity=0.5), ("low=0.6", "high=0.96"), "text_too_different"),
        ("text-similarity", pair(text_similarity=None), (), None),
        ("visual-similarity", pair(visual_similarity=0.995), (), "video_too_similar"),
        ("visual-similarity", pair(visual_similarity=0.2), ("low=0.3",), "video_too_different"),
        ("visual-similarity", pair(visual_similarity=None), (), None),
    ],
)
def test_a_filter_drops_what_it_says(name, row, options, expected):
    assert reasons(name, pair_table(row), *options) == [expected]


@pytest.mark.parametrize(
    ("name", "option"),
    [("text-similarity", "low=0.99"), ("visual-similarity", "high=2"), ("caption-pair-cap", "most=0"),
     ("min-words", "min_words=0"), ("max-words", "max_words=0")],
)  # fmt: skip
def test_options_that_make_no_sense_are_one_clear_line(name, option):
    with pytest.raises(CvrError, match=f"^{name}: .*got"):
        FILTERS.config(name, [option])


def many(count, similarity=lambda number: None):
    """Video pairs of one caption pair, each with its reverse."""
    rows = []
    for number in range(count):
        ids = (f"r{number:03d}", f"t{number:03d}")
        captions = ("A red ball.", "a blue ball") if number % 2 else ("a red ball", "a blue ball")
        rows.append(pair(*captions, ids=ids, visual_similarity=similarity(number)))
        rows.append(pair(*captions[::-1], ids=ids[::-1], visual_similarity=similarity(number)))
    return rows


def test_the_most_similar_pairs_of_a_caption_pair_are_kept_however_it_is_written():
    rows = many(30, lambda number: number / 100)
    kept = [
        row
        for row, reason in zip(rows, reasons("caption-pair-cap", pair_table(*rows), "most=4"), strict=True)
        if not reason
    ]
    assert sorted({row["visual_similarity"] for row in kept}) == [0.26, 0.27, 0.28, 0.29]
    assert Counter(row["reference_id"][0] for row in kept) == {"r": 4, "t": 4}


def test_a_pair_without_similarity_comes_last():
    rows = [pair(ids=("a", "b"), visual_similarity=None), pair(ids=("c", "d"), visual_similarity=-0.9)]
    assert reasons("caption-pair-cap", pair_table(*rows), "most=1") == ["caption_pair_cap", None]


@given(st.permutations(range(24)), st.integers(1, 5))
def test_the_cap_keeps_a_pair_with_its_reverse_in_any_order_of_the_rows(order, most):
    rows = many(12)
    shuffled = [rows[place] for place in order]
    found = reasons("caption-pair-cap", pair_table(*shuffled), f"most={most}")
    kept = {(row["reference_id"], row["target_id"]) for row, reason in zip(shuffled, found, strict=True) if not reason}
    assert len(kept) == 2 * most
    assert kept == {(target, reference) for reference, target in kept}
    again = reasons("caption-pair-cap", pair_table(*rows), f"most={most}")
    assert kept == {
        (row["reference_id"], row["target_id"]) for row, reason in zip(rows, again, strict=True) if not reason
    }


def several_captions():
    """Pairs of six videos with two captions each, so that many are of the same two videos; each with its reverse."""
    rows = []
    for one, other in combinations("abcdef", 2):
        for before, after in (("red", "blue"), ("old", "new"), ("red", "green")):
            said = f"a {before} ball rolls", f"a {after} ball rolls"
            rows += [pair(*said, ids=(one, other)), pair(*said[::-1], ids=(other, one))]
    return rows


GROUPS = {
    "caption-cap": lambda row: [("reference", row["reference_caption"]), ("target", row["target_caption"])],
    "video-cap": lambda row: [("reference", row["reference_id"]), ("target", row["target_id"])],
    "word-cap": lambda row: [*(("before", change["before"]) for change in row["changes"]),
                             *(("after", change["after"]) for change in row["changes"])],
    "caption-pair-cap": lambda row: [(row["reference_caption"], row["target_caption"])],
}  # fmt: skip
"""Which groups a row counts in."""


@pytest.mark.parametrize("name", GROUPS)
@given(order=st.permutations(range(90)), most=st.integers(1, 8))
@settings(max_examples=15, deadline=None)
def test_of_equal_pairs_of_two_videos_a_cap_keeps_the_same_and_their_reverses_in_any_order(name, order, most):
    rows = several_captions()
    shuffled = [rows[place] for place in order]
    found = dict(zip(order, reasons(name, pair_table(*shuffled), f"most={most}"), strict=True))
    assert [found[place] for place in range(90)] == reasons(name, pair_table(*rows), f"most={most}")
    assert all(found[place] == found[place ^ 1] for place in range(90))
    kept = Counter(group for place, row in enumerate(rows) if not found[place] for group in GROUPS[name](row))
    assert max(kept.values()) <= most
    whole = Counter(group for row in rows for group in GROUPS[name](row))
    lost = [GROUPS[name](row) for place, row in enumerate(rows) if found[place]]
    assert all(any(whole[group] > most for group in groups) for groups in lost)
