"""What kind of change a pair is: the slot that the changed words fill in their captions, by spaCy's tags.

Captions are tagged as their normalised words, and each distinct one once, however many pairs it is in.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.normalise import normalised
from cvr_data.slots import SLOTS, Tagged, repaired, slot_of
from cvr_data.tables import CHANGE

if TYPE_CHECKING:
    from spacy.language import Language

KINDS = tuple("action" if slot == "action" else "static" for slot in SLOTS)
BATCH = 256


def type_changes(pairs: pa.Table, advance: Callable[[int], object] = lambda captions: None) -> pa.Table:
    """Return the pairs with kind and slot of every change filled in, where it has none yet.

    `advance` is told how many captions were tagged; a caption is tagged once, however many pairs it is in.
    """
    changes = pairs.column("changes").combine_chunks()
    structs = pc.list_flatten(changes)
    kind, slot, before, after = (pc.struct_field(structs, field.name) for field in CHANGE)
    is_open = pc.is_null(kind)
    rows = pc.list_parent_indices(changes).filter(is_open)
    texts = [pairs.column(f"{side}_caption").combine_chunks().take(rows) for side in ("reference", "target")]
    phrases = [pc.fill_null(words.filter(is_open), "") for words in (before, after)]
    codes = _slot_codes(pa.concat_arrays(texts), pa.concat_arrays(phrases), advance)
    change_codes = pa.array(np.minimum(codes[: len(rows)], codes[len(rows) :]))
    kind = pc.replace_with_mask(kind, is_open, pa.array(KINDS).take(change_codes))
    slot = pc.replace_with_mask(slot, is_open, pa.array(SLOTS).take(change_codes))
    typed = pa.StructArray.from_arrays([kind, slot, before, after], fields=list(CHANGE))
    lengths = pc.fill_null(pc.list_value_length(changes), 0).to_numpy(zero_copy_only=False)
    lists = pa.ListArray.from_arrays(pa.array(np.append(0, np.cumsum(lengths)), pa.int32()), typed)
    return pairs.set_column(pairs.column_names.index("changes"), "changes", lists)


def _slot_codes(texts: pa.Array, phrases: pa.Array, advance: Callable[[int], object]) -> np.ndarray:
    """Return the number in SLOTS of each phrase in its text; equal phrases of equal texts are looked at once."""
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
    codes = np.empty(len(uses), np.int8)
    for text, caption in enumerate(_tagged(distinct.to_pylist())):
        for use in range(starts[text], starts[text + 1]):
            codes[use] = SLOTS.index(slot_of(caption, names[uses[use] % width]))
        advance(1)
    return codes[use_of_row]


def _tagged(texts: Sequence[str]) -> Iterator[Tagged]:
    from spacy.tokens import Doc

    if not texts:
        return
    language = _language()
    docs = (Doc(language.vocab, words=text.split()) for text in texts)
    for doc in language.pipe(docs, batch_size=BATCH):
        yield repaired(
            Tagged([token.text for token in doc], [token.pos_ for token in doc], [token.tag_ for token in doc])
        )


@cache
def _language() -> "Language":
    import spacy

    from cvr_data.model_packages import model_path

    return spacy.load(model_path("spacy"), exclude=["parser", "ner", "lemmatizer"])
