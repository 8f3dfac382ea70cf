"""What the captions of videos state, as columns, and as rows of numbers."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.parts import Bucket, read_artifact_bucket
from cvr_data.features.similarities import text_vectors
from cvr_data.language.exclusion import is_specific
from cvr_data.language.frames import Frame
from cvr_data.language.lexicon import read_lexicon
from cvr_data.language.nouns import preposition
from cvr_data.language.statements import ROLES, SLOTS, Statement, Value, nouns_named_in_sentence, sentence_statements
from cvr_data.pairs.frames_by import TellsFrames, read_mining_frames
from cvr_data.pairs.search.relations import Encode, Relations
from cvr_data.pairs.search.statement_pairs import MOVABLE, NOTHING, PLURAL, SPEAKS, SURE, Statements, Words
from cvr_data.tables import PHRASE

FILLED = pa.struct([("slot", pa.string()), ("word", pa.string()), ("said", pa.string()), ("phrase", PHRASE)])
STATED = pa.struct([("caption", pa.string()), ("filled", pa.list_(FILLED)), ("named", pa.list_(pa.string())),
                    ("evidence", pa.int8())])  # fmt: skip
"""What a caption states once: which word fills which slot, how it is said, all words that the caption names,
and what the other captions of its video bear out (`statement_pairs.SURE`, `SPEAKS`)."""
NAMED = pa.struct([("word", pa.string()), ("captions", pa.int32())])
"""A word, as "noun guitar", and how many captions of the video name it."""
PRIOR = 100
"""Videos that are added to those of the corpus when the rarity of a word is told: a corpus of three knows little."""
MANY = 5
"""Captions of a video, at least, of which it counts that none names a thing."""
MANY_THINGS = 8
"""Things that a description names, at least, so that it counts that it names another not."""
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
NEVER_ADDED = ("body", "clothing", "sport", "place")
"""Classes of what is hardly ever absent where nobody names it, or no thing that comes and goes."""
SEVERAL, SHARE = 3, 0.3
"""Captions of a video, at least, that name a thing which is surely there."""
VIDEOS = ""
"""The word that is counted once for each video."""


class Told(NamedTuple):
    """What one caption says."""

    statements: list[Statement]
    named: list[str]
    frame: Frame | None
    """None where nobody could tell one; such a caption states nothing."""


def mining_caption_statements(
    captions: Sequence[str], synonyms: Mapping[str, str], frames: TellsFrames | None = None
) -> dict[str, Told]:
    """Return what each caption says, with words that are one told as one; each distinct one is read once."""
    found = {}
    for caption, frame in read_mining_frames(captions, frames):
        if frame is None:
            found[caption] = Told([], [], None)
            continue
        statements = [
            {slot: _folded(value, synonyms) for slot, value in statement.items()}
            for statement in sentence_statements(frame)
        ]
        named = sorted({mining_tagged_word(_folded(value, synonyms)) for value in nouns_named_in_sentence(frame)})
        found[caption] = Told(statements, named, frame)
    return found


def _folded(value: Value, synonyms: Mapping[str, str]) -> Value:
    return value._replace(name=synonyms.get(value.name, value.name))


def mining_tagged_word(value: Value) -> str:
    """Return a word with its part of speech, as "noun guitar"."""
    return f"{value.part} {value.name}"


def sentences_to_mine(description: str | None) -> list[str]:
    """Return the sentences of what describes a video."""
    return [said for each in _SENTENCE_END.split(description or "") if (said := each.strip())]


def statements_to_pair(
    captions: Sequence[str], told: Mapping[str, Told], share: float, description: Sequence[str] = ()
) -> tuple[list[dict], list[dict]]:
    """Return what a video's captions state and name, as `STATED` and `NAMED`.

    A word counts that at least `share` of the captions name; a statement of which another part is not so is left out.
    The sentences of a description state nothing, but bear out what captions do, and tell what else is there.
    """
    distinct = sorted(set(captions))
    counts = Counter(word for caption in distinct for word in told[caption].named)
    least = ceil(share * len(distinct))
    described = {word for sentence in description for word in told[sentence].named}
    stated: dict[tuple[tuple[str, str], ...], dict] = {}
    for caption in sorted(distinct, key=lambda caption: (len(told[caption].named), caption)):
        frame = told[caption].frame
        if frame is None:
            continue
        for statement in told[caption].statements:
            kept = {slot: value for slot, value in statement.items() if counts[mining_tagged_word(value)] >= least}
            if all(slot in kept for slot in statement if slot not in SLOTS[6:]):
                filled = [_filled(slot, value, frame) for slot, value in kept.items()]
                evidence = _evidence(kept, frame, counts, len(distinct), described)
                row = {"caption": caption, "filled": filled, "named": told[caption].named, "evidence": evidence}
                stated.setdefault(tuple((each["slot"], each["word"]) for each in filled), row)
    counts.update(dict.fromkeys(described, 0))
    return list(stated.values()), [{"word": word, "captions": count} for word, count in sorted(counts.items())]


def _evidence(statement: Statement, frame: Frame, counts: Mapping[str, int], captions: int, described: Set[str]) -> int:
    """Return what captions and description bear out: that what fills `other` is there, and that they tell enough."""
    other, agent = statement.get("other"), statement.get("agent")
    least = max(SEVERAL, ceil(SHARE * captions))
    is_borne_out = other is not None and (
        counts[mining_tagged_word(other)] >= least or mining_tagged_word(other) in described
    )
    is_movable = other is not None and _can_be_added(other, frame)
    speaks = captions >= MANY or sum(word.startswith("noun ") for word in described) >= MANY_THINGS
    is_plural = agent is not None and frame.number(agent.last) == "plural"
    return SURE * (is_borne_out and is_movable) + SPEAKS * speaks + PLURAL * is_plural + MOVABLE * is_movable


def _can_be_added(other: Value, frame: Frame) -> bool:
    """Whether a thing can come and go: not what is worn, played or part of a body, nor what somebody is in."""
    at = preposition(frame.sentence, other.last)
    is_place = at is not None and frame.sentence.words[at] in ("in", "inside", "at", "around", "through")
    is_thing = is_specific("noun", other.name) and read_lexicon().classes(other.name).isdisjoint(NEVER_ADDED)
    return is_thing and not is_place and other.name.split(" ")[-1] != "game"


def _filled(slot: str, value: Value, frame: Frame) -> dict[str, Any]:
    sentence = frame.sentence
    start, end = sentence.characters(value.first, value.last)
    noun = frame.noun_of(value.last) if slot in ROLES or " " in slot or slot == "time" else None
    determiner = sentence.child(noun, "det", "poss") if noun is not None else None
    phrase = {
        "start": start, "end": end, "head": sentence.words[noun] if noun is not None else "",
        "number": frame.number(noun) if noun is not None else "",
        "determiner": sentence.words[determiner] if determiner is not None else "",
    }  # fmt: skip
    said = " ".join(sentence.words[value.first : value.last + 1])
    return {"slot": slot, "word": mining_tagged_word(value), "said": said, "phrase": phrase}


def mining_word_document_counts(config: Any, videos: pa.Table) -> pa.Table:
    """Return in how many videos of a part each word is named, and how many videos there are."""
    named = pc.struct_field(pc.list_flatten(videos.column("named").combine_chunks()), "word")
    counts = pc.value_counts(named.cast(pa.string()))
    words = pa.concat_arrays([counts.field(0), pa.array([VIDEOS], pa.string())])
    return pa.table({"word": words, "uses": np.append(counts.field(1).to_numpy(), videos.num_rows)})


def load_mining_words(bucket: Bucket, encode: Encode | None = None) -> tuple[pa.Array, Words]:
    """Return the words that lie there, sorted, and what is known of each."""
    table = pa.concat_tables(read_artifact_bucket(bucket)).sort_by("word").combine_chunks()
    names, uses = table.column("word").combine_chunks(), table.column("uses").to_numpy()
    is_word = names.to_numpy(zero_copy_only=False) != VIDEOS
    return mining_word_rarities(names.filter(pa.array(is_word)), uses[is_word], int(uses[~is_word].sum()), encode)


def load_minilm_mining_words(bucket: Bucket) -> tuple[pa.Array, Words]:
    """Return what `load_mining_words` does, with MiniLM to decide where the lexicon does not."""
    return load_mining_words(bucket, encode_mining_words)


def encode_mining_words(words: Sequence[str]) -> np.ndarray:
    """Return the unit vectors of words by MiniLM."""
    return text_vectors(pa.array(words, pa.string()), None)


def mining_word_rarities(
    names: pa.Array, uses: np.ndarray, videos: int, encode: Encode | None = None
) -> tuple[pa.Array, Words]:
    """Return words with how rare each is among so many videos."""
    said = names.to_pylist()
    # One more at the end, for NOTHING: it weighs nothing.
    weights = np.append(np.round(np.log((videos + PRIOR) / (uses + 1)), 5), 0.0)
    specific = np.array([*(is_specific(*word.split(" ", 1)) for word in said), False])
    return names, Words(weights, specific, Relations(said, encode))


class Numbered(NamedTuple):
    """Statements of videos as rows of numbers."""

    statements: Statements
    video_N: np.ndarray
    """Row of the video among those given."""
    place_N: np.ndarray
    """Number of the statement among those of its video."""


def number_mining_statements(stated: pa.Array, names: pa.Array, words: Words) -> Numbered:
    """Return all statements of a column of lists of `STATED`."""
    video = pc.list_parent_indices(stated).to_numpy(zero_copy_only=False)
    structs = pc.list_flatten(stated)
    filled = pc.struct_field(structs, "filled")
    row = pc.list_parent_indices(filled).to_numpy(zero_copy_only=False)
    values = pc.list_flatten(filled)
    slot = pc.index_in(pc.struct_field(values, "slot"), pa.array(SLOTS)).to_numpy(zero_copy_only=False)
    words_NS = np.full((len(structs), len(SLOTS)), NOTHING, np.int32)
    words_NS[row, slot] = pc.index_in(pc.struct_field(values, "word"), names).to_numpy(zero_copy_only=False)
    named = pc.struct_field(structs, "named")
    numbers = pc.index_in(pc.list_flatten(named), names).to_numpy(zero_copy_only=False)
    mass_N = np.bincount(pc.list_parent_indices(named), words.weight_V[numbers], len(structs))
    starts = np.flatnonzero(np.append(True, np.diff(video) != 0))[: len(video)]
    place_N = np.arange(len(video)) - np.repeat(starts, np.diff(np.append(starts, len(video))))
    evidence_N = pc.struct_field(structs, "evidence").to_numpy(zero_copy_only=False)
    return Numbered(Statements(words_NS, np.round(mass_N, 4), evidence_N), video, place_N)


def mining_structs_column(rows: Iterable[list[dict]], kind: pa.DataType) -> pa.Array:
    """Return lists of structs as a column."""
    return pa.array(list(rows), pa.list_(kind))
