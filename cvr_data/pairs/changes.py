"""What kind of change a pair is: the slot that the changed words fill in their captions, by spaCy's tags.

Captions are tagged as their normalised words, and each distinct one once, however many pairs it is in. Filters that
ask for it also get `change_words`: part of speech and lemma of what changes, aligned with `changes`.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import with_column
from cvr_data.language.normalise import normalised
from cvr_data.language.slots import PARTS, SLOTS, Tagged, is_doubtful_action, part_of, slot_of
from cvr_data.language.tagging import lemmas, tagged
from cvr_data.tables import CHANGE

if TYPE_CHECKING:
    pass

DOUBTFUL = "doubtful action"
"""A word that is a verb or a noun: where the other word of a change fills a slot of its own, that one counts."""
ORDER = (*(slot for slot in SLOTS if slot != "other"), DOUBTFUL, "other")
"""Where the two words of a change differ, the first of their slots is that of the change."""
ORDERED_SLOTS = tuple("action" if slot == DOUBTFUL else slot for slot in ORDER)
KINDS = tuple("action" if slot == "action" else "static" for slot in ORDERED_SLOTS)
PART_CODES = len(PARTS) + 1
"""One for each part of speech, and one for a phrase that the caption has not."""
CHANGE_WORD = pa.struct([(f"{side}_{what}", pa.string()) for side in ("before", "after") for what in ("part", "lemma")])
"""Universal part of speech of a phrase's last word, null where its caption has it not; lemma of a single word."""


def type_changes(
    pairs: pa.Table, advance: Callable[[int], object] = lambda captions: None, *, with_words: bool = False
) -> pa.Table:
    """Return the pairs with kind and slot of every change filled in, where it has none yet.

    `advance` is told how many captions were tagged; a caption is tagged once, however many pairs it is in.
    `with_words` also adds the column `change_words`.
    """
    changes = pairs.column("changes").combine_chunks()
    structs = pc.list_flatten(changes)
    kind, slot, before, after = (pc.struct_field(structs, field.name) for field in CHANGE)
    is_open = pc.is_null(kind)
    is_tagged = pa.array(np.ones(len(structs), bool)) if with_words else is_open
    rows = pc.list_parent_indices(changes).filter(is_tagged)
    texts = [pairs.column(f"{side}_caption").combine_chunks().take(rows) for side in ("reference", "target")]
    phrases = [pc.fill_null(words.filter(is_tagged), "") for words in (before, after)]
    codes = _phrase_codes(pa.concat_arrays(texts), pa.concat_arrays(phrases), advance)
    slots = np.minimum(*np.split(codes // PART_CODES, 2))
    slots = pa.array(slots[is_open.filter(is_tagged).to_numpy(zero_copy_only=False)])
    kind = pc.replace_with_mask(kind, is_open, pa.array(KINDS).take(slots))
    slot = pc.replace_with_mask(slot, is_open, pa.array(ORDERED_SLOTS).take(slots))
    more = [structs.type.field(name) for name in structs.type.names if name not in CHANGE.names]
    typed = pa.StructArray.from_arrays(
        [kind, slot, before, after, *(pc.struct_field(structs, field.name) for field in more)], fields=[*CHANGE, *more]
    )
    pairs = with_column(pairs, "changes", _lists(changes, typed))
    if with_words:
        pairs = pairs.append_column("change_words", _lists(changes, _words(phrases, codes % PART_CODES)))
    return pairs


def _lists(like: pa.ListArray, values: pa.Array) -> pa.ListArray:
    """Return the values in lists as long as those of `like`."""
    lengths = pc.fill_null(pc.list_value_length(like), 0).to_numpy(zero_copy_only=False)
    return pa.ListArray.from_arrays(pa.array(np.append(0, np.cumsum(lengths)), pa.int32()), values)


def _words(phrases: Sequence[pa.Array], codes: np.ndarray) -> pa.Array:
    parts = [pa.array([*PARTS, None], pa.string()).take(pa.array(side)) for side in np.split(codes, 2)]
    columns = [column for words, part in zip(phrases, parts, strict=True) for column in (part, lemmas(words, part))]
    return pa.StructArray.from_arrays(columns, fields=list(CHANGE_WORD))


def _phrase_codes(texts: pa.Array, phrases: pa.Array, advance: Callable[[int], object]) -> np.ndarray:
    """Return slot * PART_CODES + part, by number, of each phrase in its text; equal uses are looked at once."""
    written = texts.dictionary_encode()
    said = normalised(written.dictionary)
    distinct = pc.unique(said).sort()
    text_of_row = (
        pc.index_in(said, distinct)
        .to_numpy(zero_copy_only=False)
        .astype(np.int64)[written.indices.to_numpy(zero_copy_only=False)]
    )
    named = phrases.dictionary_encode()
    width = max(len(named.dictionary), 1)
    uses, use_of_row = np.unique(text_of_row * width + named.indices.to_numpy(), return_inverse=True)
    starts = np.searchsorted(uses, np.arange(len(distinct) + 1) * width)
    names = named.dictionary.to_pylist()
    codes = np.empty(len(uses), np.int16)
    for text, caption in enumerate(tagged(distinct.to_pylist())):
        for use in range(starts[text], starts[text + 1]):
            codes[use] = _code(caption, names[uses[use] % width])
        advance(1)
    return codes[use_of_row]


def _code(caption: Tagged, phrase: str) -> int:
    part = part_of(caption, phrase)
    slot = slot_of(caption, phrase)
    slot = DOUBTFUL if slot == "action" and is_doubtful_action(caption, phrase) else slot
    return ORDER.index(slot) * PART_CODES + (PARTS.index(part) if part else len(PARTS))
