"""A review in progress: the next item of an annotator, a judgment stored, one taken back.

Knows nothing of HTTP; `cvr_data.review.app` puts it on the wire. What it shows is blind: no source of a text, no
style, no sign of a gold check.

Who judges what, and in which order, is a function of seed, name and item, so that it outlives any restart. Shared items
and gold checks go to everybody, the others to one annotator each; a new annotator takes over a fair part of what nobody
has judged, and moves nothing else.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cvr_data.core.errors import CvrError, first_few
from cvr_data.language.words import clean_text
from cvr_data.review.items import Reviewed, ReviewItem, TargetNeighbours
from cvr_data.review.media import Media
from cvr_data.review.store import DECISIONS, REASONS, Judgment, ReviewStore

MAX_TEXT = 2000
"""Letters of a text or a note at most."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a review is dealt out."""

    annotators: tuple[str, ...] = ("me",)
    overlap: float = 0.2
    seed: int = 0


class Session:
    """What the page asks for."""

    def __init__(
        self, reviewed: Reviewed, store: ReviewStore, settings: Settings, media: Media,
        captions: Mapping[str, str], neighbours: TargetNeighbours | None = None,
    ):  # fmt: skip
        self.items = reviewed.by_id()
        self.store = store
        self.settings = settings
        self.media = media
        self.captions = captions
        self.neighbours = neighbours
        self.shared = shared_review_items(reviewed.items, overlap=settings.overlap, seed=settings.seed)
        self.targets: dict[tuple[str, str], set[str]] = {}
        for item in reviewed.items:
            for text in item.texts:
                self.targets.setdefault((item.reference_id, text), set()).add(item.target_id)
        self.order = {name: self._reviewer_order(name) for name in settings.annotators}

    def state(self, annotator: str) -> dict[str, Any]:
        """Return what the page shows next and how far the annotator is; `item` is None at the end."""
        mine, done = self._reviewer_items(annotator)
        left = [name for name in mine if name not in done]
        return {
            "annotator": annotator,
            "done": len(mine) - len(left),
            "total": len(mine),
            "item": self.shown(self.items[left[0]], annotator) if left else None,
            "last": self.store.last_of(annotator),
            "has_neighbours": self.neighbours is not None,
        }

    def shown(self, item: ReviewItem, annotator: str) -> dict[str, Any]:
        """Return an item as the page gets it."""
        return {
            "item_id": item.item_id,
            "reference": self._video_on_page(item.reference_id, item.reference_caption),
            "target": self._video_on_page(item.target_id, item.target_caption),
            "texts": reviewed_texts_as_shown(item, annotator, seed=self.settings.seed),
            "changes": list(item.changes),
            "scores": item.scores,
        }

    def judge(self, annotator: str, sent: Mapping[str, Any]) -> None:
        """Store the judgment that a page sent.

        Raises:
            CvrError: it makes no sense; the line says why.
            AlreadyJudged: another stands in its place.
        """
        item = self.items.get(_sent_text(sent, "item_id") or "")
        if item is None:
            raise CvrError("There is no such item in this review.")
        self.store.add(_judgment(sent, item, annotator, is_shared=item.item_id in self.shared, videos=self.media))

    def undo(self, annotator: str, request_id: str) -> dict[str, Any]:
        """Take back a judgment and return the state with that item first, and what was said of it."""
        previous = self.store.undo(annotator, request_id)
        state = self.state(annotator)
        if previous is not None and previous.item_id in self.items:
            state["item"] = self.shown(self.items[previous.item_id], annotator)
            state["previous"] = {
                "decision": previous.decision, "reason": previous.reason, "note": previous.note,
                "chosen": previous.chosen, "modification": previous.modification,
                "also_correct": [self.media.number_of[name] for name in previous.also_correct
                                 if name in self.media.number_of],
            }  # fmt: skip
        return state

    def near(self, item_id: str) -> list[dict[str, Any]]:
        """Return the videos nearest to the target of an item, without those that are known to answer it."""
        item = self.items.get(item_id)
        if item is None or self.neighbours is None:
            return []
        known = {item.reference_id}.union(*(self.targets[item.reference_id, text] for text in item.texts))
        found = self.neighbours.of(item.target_id, leave_out=known)
        return [{**self._video_on_page(near.video_id, ""), "similarity": near.similarity} for near in found]

    def _reviewer_order(self, annotator: str) -> list[str]:
        names = [
            name for name in self.items
            if name in self.shared or reviewer_of(name, self.settings.annotators, seed=self.settings.seed) == annotator
        ]  # fmt: skip
        return review_order(annotator, names, seed=self.settings.seed)

    def _reviewer_items(self, annotator: str) -> tuple[list[str], set[str]]:
        """The annotator's items, without those that a former owner judged and with those judged as a former owner."""
        done = self.store.judged_by(annotator)
        taken = self.store.taken()
        mine = [name for name in self.order[annotator] if taken.get(name, annotator) == annotator]
        return mine + sorted(name for name in done.difference(mine) if name in self.items), done

    def _video_on_page(self, video_id: str, caption: str) -> dict[str, Any]:
        number = self.media.number_of[video_id]
        caption = caption or self.captions.get(video_id, "")
        shown = {"number": number, "kind": self.media.kind(number), "caption": caption}
        clip = self.media.played(number)
        return shown if clip is None else {**shown, "start_s": clip.start_s or 0, "end_s": clip.end_s}


def _judgment(sent: Mapping[str, Any], item: ReviewItem, annotator: str, *, is_shared: bool, videos: Media) -> Judgment:
    decision = _sent_text(sent, "decision")
    if decision not in DECISIONS:
        raise CvrError(f"decision should be one of {', '.join(DECISIONS)}, got {first_few([decision])}.")
    reason = _sent_text(sent, "reason") if decision == "reject" else None
    if decision == "reject" and reason not in REASONS:
        raise CvrError(f"reason should be one of {', '.join(REASONS)}, got {reason!r}.")
    chosen = _sent_text(sent, "chosen")
    modification = None
    if decision in ("accept", "edit"):
        if chosen not in item.texts:
            raise CvrError("chosen is none of the candidate texts.")
        modification = chosen if decision == "accept" else clean_text(_sent_text(sent, "modification") or "").strip()
        if not modification:
            raise CvrError("An edited text must not be empty.")
    request_id = _sent_text(sent, "request_id")
    if not request_id:
        raise CvrError("request_id is missing.")
    seconds = sent.get("seconds")
    return Judgment(
        request_id=request_id,
        annotator=annotator,
        item_id=item.item_id,
        is_shared=is_shared,
        decision=decision,
        reason=reason,
        note=_sent_text(sent, "note"),
        chosen=chosen if decision in ("accept", "edit") else None,
        modification=modification,
        also_correct=_sent_videos(sent.get("also_correct") or [], item, videos) if modification else (),
        seconds=round(float(seconds), 1) if isinstance(seconds, int | float) and 0 <= seconds < 86400 else None,
        judged_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )


def _sent_text(sent: Mapping[str, Any], name: str) -> str | None:
    value = sent.get(name)
    if value is not None and (not isinstance(value, str) or len(value) > MAX_TEXT):
        raise CvrError(f"{name} should be a text of at most {MAX_TEXT} letters.")
    return value


def _sent_videos(numbers: Sequence[Any], item: ReviewItem, media: Media) -> tuple[str, ...]:
    count = len(media.video_ids)
    if not isinstance(numbers, list) or not all(type(number) is int and 0 <= number < count for number in numbers):
        raise CvrError("also_correct should be a list of numbers of videos.")
    names = dict.fromkeys(media.video_ids[number] for number in numbers)
    return tuple(name for name in names if name not in (item.reference_id, item.target_id))


def review_share(*parts: object) -> float:
    """Return a number in [0, 1) that depends on the parts alone and is even over many of them."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def shared_review_items(items: Iterable[ReviewItem], *, overlap: float, seed: int) -> set[str]:
    """Return the ids of the items that every annotator judges: gold checks and `overlap` of the others, rounded up."""
    items = list(items)
    plain = sorted((item.item_id for item in items if item.answer is None), key=lambda name: review_share(seed, name))
    count = -(-len(plain) * round(overlap * 1000) // 1000)
    return {item.item_id for item in items if item.answer is not None} | set(plain[:count])


def reviewer_of(item_id: str, annotators: Sequence[str], *, seed: int) -> str:
    """Return who judges an item that is not shared."""
    return max(annotators, key=lambda name: (review_share(seed, item_id, name), name))


def review_order(annotator: str, item_ids: Iterable[str], *, seed: int) -> list[str]:
    """Return the items as this annotator gets them."""
    return sorted(item_ids, key=lambda name: review_share(seed, "order", annotator, name))


def reviewed_texts_as_shown(item: ReviewItem, annotator: str, *, seed: int) -> list[str]:
    """Return the candidate texts in an order that tells nothing of who wrote them."""
    return sorted(item.texts, key=lambda text: review_share(seed, "text", annotator, item.item_id, text))
