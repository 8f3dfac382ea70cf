"""What kind of change a pair is: the slot that the changed words fill in their captions, and whether they count.

Each distinct caption of the pairs given is parsed once, and each distinct use of two phrases judged once, however many
pairs it is in. Filters that ask for it also get `change_words`: part of speech and lemma of what changes, by the tagger
in the normalised words; and `change_reasons`: why a change is none that a person could ask for. Both are aligned with
`changes`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import with_column
from cvr_data.language.changes import Phrase, phrase_change
from cvr_data.language.frames import Frame
from cvr_data.language.normalise import normalised
from cvr_data.language.slots import SLOTS, part_of_speech
from cvr_data.language.tagging import ENGLISH, lemmas, tagged
from cvr_data.pairs.frames_by import TellsFrames, read_mining_frames
from cvr_data.tables import PHRASE

CHANGE_WORD = pa.struct([(f"{side}_{what}", pa.string()) for side in ("before", "after") for what in ("part", "lemma")])
"""Universal part of speech of a phrase's last word, null where its caption has it not; lemma of a single word."""
SIDES = ("reference", "target")
PHRASES = ("before_phrase", "after_phrase")
NO_FRAME = "no_frame"
"""Reason of a pair with a caption of which who was asked told no frame."""
ONE_SIDED = ("only_added", "only_removed")
_SLOT_OF_PART = {
    "VERB": "action", "AUX": "action", "NOUN": "object", "PROPN": "object", "PRON": "object", "ADJ": "attribute",
    "NUM": "attribute",
}  # fmt: skip
"""All that the part of speech tells, in any language."""


class _Judged(NamedTuple):
    """What a change is, and where its sides stand as rows of `PHRASE`."""

    slot: str
    reason: str | None
    before: dict[str, int | str] | None
    after: dict[str, int | str] | None


class _Uses(NamedTuple):
    """Changes as numbers: each has a row of `distinct`, whose columns are rows of the texts and of the phrases."""

    texts: list[str]
    phrases: list[str]
    distinct: np.ndarray
    use_of_change: np.ndarray


def type_changes(
    pairs: pa.Table,
    advance: Callable[[int], object] = lambda captions: None,
    *,
    with_words: bool = False,
    with_reasons: bool = False,
    language: str = ENGLISH,
    frames: TellsFrames | None = None,
) -> pa.Table:
    """Return the pairs with kind and slot of every change filled in, where it has none yet.

    `advance` is told how many captions were parsed; a caption is parsed once, however many pairs it is in.
    `with_words` also adds the column `change_words`, `with_reasons` the column `change_reasons`. Of captions in
    other languages, the slot is what the part of speech tells, and there are no phrases, lemmas or reasons.
    `frames` tells frames instead of the rules; a pair with a caption that has none gets the reason `no_frame`.
    """
    changes = pairs.column("changes").combine_chunks()
    structs = pc.list_flatten(changes)
    is_asked = pa.array(np.ones(len(structs), bool)) if with_reasons else pc.is_null(pc.struct_field(structs, "kind"))
    uses = _uses(pairs, changes, is_asked)
    found = _judged(uses, advance, frames) if language == ENGLISH else _by_part(uses, language)
    slot, reason = (pa.array([one[place] for one in found], pa.string()).take(uses.use_of_change) for place in (0, 1))
    phrases = [pa.array([one[place] for one in found], PHRASE).take(uses.use_of_change) for place in (2, 3)]
    typed = _typed(structs, is_asked, slot, phrases)
    pairs = with_column(pairs, "changes", _lists(changes, typed))
    if with_reasons:
        # An addition or removal that a strategy has named itself has evidence beside the pair's two captions.
        is_borne_out = pc.and_(pc.is_valid(pc.struct_field(structs, "kind")), _is_one_sided(structs))
        reason = pc.if_else(pc.and_(is_borne_out, pc.is_in(reason, pa.array(ONE_SIDED))), None, reason)
        pairs = with_column(pairs, "change_reasons", _lists(changes, reason))
    if with_words:
        pairs = with_column(pairs, "change_words", _lists(changes, _change_words(pairs, changes, language)))
    return pairs


def _is_one_sided(structs: pa.StructArray) -> pa.BooleanArray:
    return pc.or_(*(pc.equal(pc.struct_field(structs, side), "") for side in ("before", "after")))


def _typed(structs: pa.StructArray, is_asked: pa.Array, slots: pa.Array, phrases: Sequence[pa.Array]) -> pa.StructArray:
    """Return the changes with kind, slot and phrases where they had none; `slots`, `phrases` are of those asked for."""
    kinds = pc.if_else(pc.equal(slots, "action"), "action", "static")
    is_open = pc.is_null(pc.struct_field(structs, "kind"))
    asked = pc.filter(is_open, is_asked)
    fields = {name: pc.struct_field(structs, name) for name in structs.type.names}
    for name, values in (("kind", kinds), ("slot", slots)):
        fields[name] = pc.replace_with_mask(fields[name], is_open, values.filter(asked))
    for name, found in zip(PHRASES, phrases, strict=True) if pc.any(is_open).as_py() else ():
        if name not in fields:
            fields[name] = pa.nulls(len(structs), PHRASE)
        place = pc.if_else(is_asked, pc.subtract(pc.cumulative_sum(is_asked.cast(pa.int64())), 1), None)
        is_new = pc.and_(is_open, pc.is_null(fields[name]))
        fields[name] = pc.if_else(is_new, found.take(place), fields[name])
    return pa.StructArray.from_arrays(list(fields.values()), names=list(fields))


def _uses(pairs: pa.Table, changes: pa.ListArray, is_asked: pa.Array) -> _Uses:
    """Return which captions and phrases the changes that are asked for are of, equal ones once."""
    rows = pc.list_parent_indices(changes).filter(is_asked)
    structs = pc.list_flatten(changes)
    captions = [pairs.column(f"{side}_caption").combine_chunks().take(rows) for side in SIDES]
    words = [pc.fill_null(pc.struct_field(structs, side).filter(is_asked), "") for side in ("before", "after")]
    texts, phrases = (pc.unique(pa.concat_arrays(both)).sort() for both in (captions, words))
    columns = [pc.index_in(column, texts) for column in captions] + [pc.index_in(column, phrases) for column in words]
    numbers = np.stack([column.to_numpy(zero_copy_only=False).astype(np.int64) for column in columns], axis=1)
    distinct, use_of_change = np.unique(numbers, axis=0, return_inverse=True)
    return _Uses(texts.to_pylist(), phrases.to_pylist(), distinct, use_of_change.reshape(-1))


def _judged(uses: _Uses, advance: Callable[[int], object], by: TellsFrames | None) -> list[_Judged]:
    """Return what each distinct use is; the reason of a change that counts is null."""
    frames: list[Frame | None] = []
    for _, frame in read_mining_frames(uses.texts, by):
        frames.append(frame)
        advance(1)
    found = []
    for reference, target, before, after in uses.distinct:
        sides = frames[reference], frames[target]
        if sides[0] is None or sides[1] is None:
            found.append(_Judged("other", NO_FRAME, None, None))
            continue
        change = phrase_change(sides[0], sides[1], uses.phrases[before], uses.phrases[after])
        reason = None if change.verdict == "change" else change.reason
        found.append(_Judged(change.slot, reason, _told(change.before_phrase), _told(change.after_phrase)))
    return found


def _by_part(uses: _Uses, language: str) -> list[_Judged]:
    """Return the slot of each distinct use by the parts of speech of its sides in their captions."""
    captions = list(tagged(normalised(pa.array(uses.texts, pa.string())).to_pylist(), language))
    found = []
    for *texts, before, after in uses.distinct:
        phrases = (uses.phrases[before], uses.phrases[after])
        parts = [part_of_speech(captions[text], phrase) for text, phrase in zip(texts, phrases, strict=True) if phrase]
        slots = [_SLOT_OF_PART.get(part or "", "other") for part in parts]
        found.append(_Judged(min(slots, key=SLOTS.index, default="other"), None, None, None))
    return found


def _told(phrase: Phrase) -> dict[str, int | str] | None:
    """Return where a side stands and its noun phrase; None of a side without words."""
    return {name: getattr(phrase, name) for name in PHRASE.names} if phrase.words else None


def _lists(like: pa.ListArray, values: pa.Array) -> pa.ListArray:
    """Return the values in lists as long as those of `like`."""
    lengths = pc.fill_null(pc.list_value_length(like), 0).to_numpy(zero_copy_only=False)
    return pa.ListArray.from_arrays(pa.array(np.append(0, np.cumsum(lengths)), pa.int32()), values)


def _change_words(pairs: pa.Table, changes: pa.ListArray, language: str) -> pa.Array:
    """Return part of speech and lemma of both phrases of every change."""
    structs, rows = pc.list_flatten(changes), pc.list_parent_indices(changes)
    columns = []
    for side, name in zip(SIDES, ("before", "after"), strict=True):
        phrases = pc.fill_null(pc.struct_field(structs, name), "")
        texts = normalised(pairs.column(f"{side}_caption").combine_chunks().take(rows))
        part = _parts_of(texts, phrases, language)
        columns += [part, lemmas(phrases, part) if language == ENGLISH else phrases]
    return pa.StructArray.from_arrays(columns, fields=list(CHANGE_WORD))


def _parts_of(texts: pa.Array, phrases: pa.Array, language: str) -> pa.Array:
    """Return the part of speech of each phrase in its text; a text is tagged once."""
    distinct = pc.unique(texts).sort()
    text_of_row = pc.index_in(texts, distinct).to_pylist()
    captions: Sequence = list(tagged(distinct.to_pylist(), language))
    said = zip(text_of_row, phrases.to_pylist(), strict=True)
    return pa.array([part_of_speech(captions[text], phrase) for text, phrase in said], pa.string())
