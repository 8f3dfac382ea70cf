"""order: who judges what does not depend on a restart, is fair, and a newcomer moves nothing between the others."""

from collections import Counter

from cvr_data.review.items import ReviewItem
from cvr_data.review.session import review_order, reviewed_texts_as_shown, reviewer_of, shared_review_items

ITEMS = [
    ReviewItem(
        item_id=f"i{number}", reference_id="r", target_id=f"t{number}", style="short", split="test", texts=("a", "b")
    )
    for number in range(300)
]
GOLD = ReviewItem(item_id="g", reference_id="r", target_id="t", style="gold", split=None, texts=("a",), answer="reject")
IDS = [item.item_id for item in ITEMS]


def test_the_overlap_is_the_share_asked_for_and_holds_every_gold_check():
    assert len(shared_review_items(ITEMS, overlap=0.1, seed=0)) == 30
    assert shared_review_items([*ITEMS, GOLD], overlap=0, seed=0) == {"g"}
    assert shared_review_items(ITEMS, overlap=1, seed=0) == set(IDS)
    assert shared_review_items(ITEMS, overlap=0.1, seed=0) < shared_review_items(ITEMS, overlap=0.5, seed=0)
    assert shared_review_items(ITEMS, overlap=0.1, seed=0) != shared_review_items(ITEMS, overlap=0.1, seed=1)


def test_items_go_to_annotators_in_fair_parts():
    counts = Counter(reviewer_of(name, ("ann", "ben", "cem"), seed=0) for name in IDS)
    assert min(counts.values()) > 70


def test_a_newcomer_takes_from_the_others_and_moves_nothing_between_them():
    before = {name: reviewer_of(name, ("ann", "ben"), seed=0) for name in IDS}
    after = {name: reviewer_of(name, ("cem", "ben", "ann"), seed=0) for name in IDS}
    assert {after[name] for name in IDS if after[name] != before[name]} == {"cem"}


def test_each_annotator_has_an_order_of_their_own():
    orders = [review_order(name, IDS, seed=0) for name in ("ann", "ben")]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(IDS)
    assert orders[0] == review_order("ann", reversed(IDS), seed=0)


def test_texts_stand_in_an_order_that_tells_nothing():
    first = Counter(reviewed_texts_as_shown(item, "ann", seed=0)[0] for item in ITEMS)
    assert 100 < first["a"] < 200
