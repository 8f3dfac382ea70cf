"""Right and wrong answers of a search, kept as a review keeps judgments: `cvr export-judgments` writes them.

A mark is of a composed query whose reference is a video of the library, and of one video that was found. Its text is
what was typed, and after it what should not be true. Right is `accept`; wrong is `reject` for the reason `other`.
"""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import uuid4

import pyarrow as pa

from cvr_bench.search.question import Question
from cvr_data.core.errors import CvrError
from cvr_data.review.items import ReviewItem, review_item_id
from cvr_data.review.searched import SEARCH_SETTINGS, STYLE
from cvr_data.review.store import AlreadyJudged, Judgment, ReviewStore

RIGHT, WRONG = "right", "wrong"
NOTE = "found by a search, and wrong"
DECISIONS = {RIGHT: "accept", WRONG: "reject"}

Key = tuple[str, str, str]
"""reference_id, target_id, text."""


def search_query_text(question: Question) -> str:
    """Return a question's words as one modification text."""
    return ", ".join([*question.texts, *(f"without {words}" for words in question.without)])


class Marks:
    """What one person marked in the videos of one library."""

    def __init__(self, store: ReviewStore, annotator: str, videos: pa.Table, row_of: Mapping[str, int], key: str):
        self.store = store
        self.annotator = annotator
        self._videos, self._row_of = videos, row_of
        self._settings = {**SEARCH_SETTINGS, "key": key}
        store.settle(self._settings, [])
        self._items: dict[Key, ReviewItem] = {}
        for item in store.items():
            self._items[item.reference_id, item.target_id, item.texts[0]] = item
        self._made = {made.item_id: made for made in store.judgments() if made.annotator == annotator}
        self._lock = threading.Lock()

    def can_mark(self, question: Question) -> bool:
        """Return whether an answer of this question makes a triplet: it has a video of the library, and words."""
        return question.like in self._row_of and bool(search_query_text(question))

    def of(self, question: Question, video_id: str) -> str | None:
        """Return `right`, `wrong` or None."""
        item = self._items.get(_key(question, video_id))
        made = self._made.get(item.item_id) if item is not None else None
        return None if made is None else RIGHT if made.decision == DECISIONS[RIGHT] else WRONG

    def mark(self, question: Question, video_id: str, mark: str | None) -> None:
        """Store a mark before it returns; None takes one back.

        Raises:
            CvrError: the question makes no triplet, or there is no such video or mark.
        """
        if not self.can_mark(question):
            raise CvrError("A mark needs a reference clip of the library, and a text.")
        if video_id not in self._row_of or video_id == question.like:
            raise CvrError(f"There is no video {video_id[:100]!r} that could answer this.")
        if mark not in (None, RIGHT, WRONG):
            raise CvrError(f"mark should be {RIGHT}, {WRONG} or null.")
        with self._lock:
            if mark is None and _key(question, video_id) not in self._items:
                return
            item = self._item(*_key(question, video_id))
            if (made := self._made.pop(item.item_id, None)) is not None:
                self.store.undo(self.annotator, made.request_id)
            if mark is not None:
                self._made[item.item_id] = self._add(item, mark)

    def counts(self) -> dict[str, int]:
        """Return how many answers are marked right, and how many wrong."""
        with self._lock:
            made = [made.decision for made in self._made.values()]
        return {mark: made.count(decision) for mark, decision in DECISIONS.items()}

    def _add(self, item: ReviewItem, mark: str) -> Judgment:
        text = item.texts[0] if mark == RIGHT else None
        made = Judgment(
            request_id=str(uuid4()), annotator=self.annotator, item_id=item.item_id, is_shared=True,
            decision=DECISIONS[mark], reason=None if text else "other", note=None if text else NOTE, chosen=text,
            modification=text, judged_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )  # fmt: skip
        try:
            self.store.add(made)
        except AlreadyJudged:
            raise CvrError("Another page marks the same answer; load this one anew.") from None
        return made

    def _item(self, reference_id: str, target_id: str, text: str) -> ReviewItem:
        key = (reference_id, target_id, text)
        if key not in self._items:
            # A verdict keeps one of the texts of one style of a pair; each text of a search is a query by itself.
            others = sum(known[:2] == key[:2] for known in self._items)
            style = STYLE if not others else f"{STYLE}-{others + 1}"
            item = ReviewItem(
                item_id=review_item_id(reference_id, target_id, style), reference_id=reference_id, target_id=target_id,
                style=style, split=self._videos.column("split")[self._row_of[target_id]].as_py(), texts=(text,),
            )  # fmt: skip
            self.store.settle(self._settings, [item])
            self._items[key] = item
        return self._items[key]


def _key(question: Question, video_id: str) -> Key:
    return question.like or "", video_id, search_query_text(question)
