"""store: a judgment stands once, whoever sends it how often, and stays through an undo and a reopened file."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from cvr_data.core.errors import CvrError
from cvr_data.review.items import ReviewItem
from cvr_data.review.store import AlreadyJudged, Judgment, ReviewStore

ONE = Judgment(request_id="1", annotator="ann", item_id="i1", is_shared=False, decision="accept", judged_at="now",
               chosen="a", modification="a", also_correct=("v1", "v2"))  # fmt: skip
ITEM = ReviewItem(item_id="i1", reference_id="r", target_id="t", style="short", split="test", texts=("a", "b"))


@pytest.fixture
def store(tmp_path):
    with ReviewStore(tmp_path / "deep" / "review.sqlite") as opened:
        yield opened


def test_what_was_stored_comes_back_whole(store):
    store.settle({"seed": "0"}, [ITEM])
    store.add(ONE)
    with ReviewStore(store.path, must_exist=True) as again:
        assert again.judgments() == [ONE]
        assert again.items() == [ITEM]
        assert again.settings() == {"seed": "0"}


def test_the_same_request_twice_is_stored_once(store):
    store.add(ONE)
    store.add(ONE)
    assert store.judgments() == [ONE]


@pytest.mark.parametrize("other", [{"request_id": "2"}, {"request_id": "2", "annotator": "ben"}, {"annotator": "ben"}])
def test_a_second_judgment_of_an_item_is_refused(store, other):
    store.add(ONE)
    with pytest.raises(AlreadyJudged):
        store.add(replace(ONE, **other))
    assert store.judgments() == [ONE]


def test_a_shared_item_is_judged_once_by_each(store):
    shared = replace(ONE, is_shared=True)
    store.add(shared)
    store.add(replace(shared, request_id="2", annotator="ben"))
    with pytest.raises(AlreadyJudged):
        store.add(replace(shared, request_id="3"))
    assert [made.annotator for made in store.judgments()] == ["ann", "ben"]


def test_many_at_once_leave_one(store):
    def send(number):
        try:
            store.add(replace(ONE, request_id=str(number), annotator=f"annotator {number}"))
        except AlreadyJudged:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(send, range(40))) == 1


def test_undo_takes_back_one_judgment_and_only_once(store):
    store.add(ONE)
    store.add(replace(ONE, request_id="2", item_id="i2"))
    assert store.last_of("ann") == "2"
    assert store.undo("ann", "2") == store.undo("ann", "2")
    assert store.undo("ben", "1") is None
    assert store.judgments() == [ONE]
    store.add(replace(ONE, request_id="3", item_id="i2", decision="skip"))
    assert [made.request_id for made in store.judgments()] == ["1", "3"]
    assert [made.request_id for made in store.judgments(undone=True)] == ["2"]


def test_a_review_goes_on_with_the_settings_it_was_begun_with(store):
    store.settle({"seed": "0", "overlap": "0.2"}, [ITEM])
    with pytest.raises(CvrError, match=r"was begun with overlap 0\.2, now it is 0\.5; use another --out"):
        store.settle({"seed": "0", "overlap": "0.5"}, [ITEM])


def test_a_token_stays_and_is_of_one_annotator(store):
    token = store.token_of("ann")
    assert len(token) >= 32
    assert store.token_of("ben") != token
    with ReviewStore(store.path) as again:
        assert again.token_of("ann") == token


def test_the_file_is_in_wal_mode_and_another_file_is_refused(store, tmp_path):
    connection = sqlite3.connect(store.path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    (tmp_path / "words.txt").write_text("not a database, but long enough to be none " * 50)
    with pytest.raises(CvrError, match="cannot be read as a file of judgments"):
        ReviewStore(tmp_path / "words.txt")
    with pytest.raises(CvrError, match="does not exist"):
        ReviewStore(tmp_path / "gone.sqlite", must_exist=True)


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_file_that_is_gone_takes_no_judgment(store, is_replaced):
    store.add(ONE)
    store.path.rename(store.path.with_suffix(".moved"))
    if is_replaced:
        store.path.write_bytes(b"")
    with pytest.raises(CvrError, match="removed or replaced"):
        store.add(replace(ONE, request_id="2", item_id="i2"))
