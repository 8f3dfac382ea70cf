"""What differs between two captions that share more than one span: the spans of words that were put for others."""

from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.tables import CHANGE


def pair_differences(before: Sequence[str], after: Sequence[str]) -> list[dict[str, str | None]]:
    """Return one untyped change per span that differs; `before` is null where words were only put in, and so on."""
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    return [
        {
            "kind": None,
            "slot": None,
            "before": " ".join(before[start:end]) or None,
            "after": " ".join(after[first:last]) or None,
        }
        for tag, start, end, first, last in matcher.get_opcodes()
        if tag != "equal"
    ]


def change_lists(befores: Sequence[Sequence[str]], afters: Sequence[Sequence[str]]) -> pa.ListArray:
    """Return the changes of each pair of captions, as words."""
    lists = [pair_differences(before, after) for before, after in zip(befores, afters, strict=True)]
    return pa.array(lists, pa.list_(CHANGE))


def turned_pair_changes(lists: pa.ListArray, is_turned: np.ndarray) -> pa.ListArray:
    """Return the changes with `before` and `after` exchanged in some rows."""
    structs = pc.list_flatten(lists)
    is_turned_change = pa.array(is_turned[pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)])
    kind, slot, before, after = (pc.struct_field(structs, field.name) for field in CHANGE)
    sides = [pc.if_else(is_turned_change, other, one) for one, other in ((before, after), (after, before))]
    offsets = np.append(0, np.cumsum(pc.list_value_length(lists).to_numpy(zero_copy_only=False)))
    changes = pa.StructArray.from_arrays([kind, slot, *sides], fields=list(CHANGE))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), changes)
