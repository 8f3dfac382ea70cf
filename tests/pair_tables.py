"""Tables of pairs with every column that a filter can read: `pair_table(pair("a red ball", "a blue ball"))`."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from cvr_data.language.words import words_of
from cvr_data.pairs.changes import CHANGE_WORD
from cvr_data.pairs.columns import CHANGE_COUNT
from cvr_data.tables import CHANGE, pair_id

KINDS = {
    "changes": pa.list_(CHANGE), "change_words": pa.list_(CHANGE_WORD), "change_counts": pa.list_(CHANGE_COUNT),
    "change_reasons": pa.list_(pa.string()), "seen_changes": pa.list_(pa.float32()),
    **dict.fromkeys(("text_similarity", "visual_similarity"), pa.float32()),
    **{f"{side}_{end}_s": pa.float64() for side in ("reference", "target") for end in ("start", "end")},
}  # fmt: skip


def pair(
    reference: str = "a red ball rolls",
    target: str = "a blue ball rolls",
    *,
    ids: tuple[str, str] = ("v1", "v2"),
    tags: tuple[str | None, str | None, str, str] | None = None,
    **columns: Any,
) -> dict[str, Any]:
    """Return a row; `tags` are part and lemma of the word before, then of the word after."""
    both = zip(words_of(reference), words_of(target), strict=False)
    changes = [{"before": before, "after": after} for before, after in both if before != after]
    told = [
        dict(zip(CHANGE_WORD.names, tags or ("NOUN", change["before"], "NOUN", change["after"]), strict=True))
        for change in changes
    ]
    return {
        "pair_id": pair_id(*ids, reference, target), "reference_id": ids[0], "target_id": ids[1],
        "reference_caption": reference, "target_caption": target, "changes": changes, "change_words": told,
        "change_counts": [{"before": 9, "after": 9} for _ in changes], "change_reasons": [None] * len(changes),
        "seen_changes": [None] * len(changes),
        "text_similarity": 0.8,
        "visual_similarity": 0.5, "reference_split": "train", "target_split": "train", "reference_group_id": ids[0],
        "target_group_id": ids[1], "reference_recording": ids[0], "target_recording": ids[1], "reference_start_s": None,
        "reference_end_s": None, "target_start_s": None, "target_end_s": None, **columns,
    }  # fmt: skip


def example_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return the rows of a filter's EXAMPLE without their reasons; what one leaves out is that of a red and blue ball.

    Pairs of a modification have one, and changes of colour.
    """
    whole = []
    for row in rows:
        given = {name: value for name, value in row.items() if name != "drop_reason"}
        captions = {
            side: given.pop(f"{side}_caption") for side in ("reference", "target") if f"{side}_caption" in given
        }
        made = pair(**captions, **{"modification": "make the ball blue", "style": "short"} | given)
        made["changes"] = [{"kind": "static", "slot": "attribute", **change} for change in made["changes"]]
        whole.append(made)
    return pair_table(*whole)


def pair_table(*rows: dict[str, Any]) -> pa.Table:
    """Return the rows as a table with the types that mine-pairs gives."""
    names = dict.fromkeys((*pair(), *rows[0])) if rows else pair()
    return pa.table({name: pa.array([row[name] for row in rows], KINDS.get(name, pa.string())) for name in names})
