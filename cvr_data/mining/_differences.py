"""What differs between two captions that share more than one span: the spans of words that were put for others."""

from collections.abc import Sequence
from difflib import SequenceMatcher

import pyarrow as pa

from cvr_data.tables import CHANGE


def differences(before: Sequence[str], after: Sequence[str]) -> list[dict[str, str | None]]:
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
    lists = [differences(before, after) for before, after in zip(befores, afters, strict=True)]
    return pa.array(lists, pa.list_(CHANGE))
