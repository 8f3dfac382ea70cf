"""Who judges what, and in which order: a function of seed, name and item, so that it outlives any restart.

Shared items and gold checks go to everybody, the others to one annotator each; a new annotator takes over a fair part
of what nobody has judged, and moves nothing else.
"""

import hashlib
from collections.abc import Iterable, Sequence

from cvr_data.review.items import ReviewItem


def share_of(*parts: object) -> float:
    """Return a number in [0, 1) that depends on the parts alone and is even over many of them."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def shared_items(items: Iterable[ReviewItem], *, overlap: float, seed: int) -> set[str]:
    """Return the ids of the items that every annotator judges: gold checks and `overlap` of the others, rounded up."""
    items = list(items)
    plain = sorted((item.item_id for item in items if item.answer is None), key=lambda name: share_of(seed, name))
    count = -(-len(plain) * round(overlap * 1000) // 1000)
    return {item.item_id for item in items if item.answer is not None} | set(plain[:count])


def owner_of(item_id: str, annotators: Sequence[str], *, seed: int) -> str:
    """Return who judges an item that is not shared."""
    return max(annotators, key=lambda name: (share_of(seed, item_id, name), name))


def in_order_of(annotator: str, item_ids: Iterable[str], *, seed: int) -> list[str]:
    """Return the items as this annotator gets them."""
    return sorted(item_ids, key=lambda name: share_of(seed, "order", annotator, name))


def texts_as_shown(item: ReviewItem, annotator: str, *, seed: int) -> list[str]:
    """Return the candidate texts in an order that tells nothing of who wrote them."""
    return sorted(item.texts, key=lambda text: share_of(seed, "text", annotator, item.item_id, text))
