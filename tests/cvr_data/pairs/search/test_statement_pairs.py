"""statement_pairs: against a slow reading of the definition, slot by slot; and what must not matter."""

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvr_data.language.exclusion import CLASH, EXCLUDES, FITS, UNRELATED, relation_of
from cvr_data.language.statements import SLOTS
from cvr_data.pairs.search import statement_pairs, statement_search
from cvr_data.pairs.search.statement_pairs import (
    NOTHING,
    Limits,
    Statements,
    compare_statement_pairs,
    statement_pair_blocks,
)
from cvr_data.pairs.search.statement_search import Search, _paired, _sent
from cvr_data.pairs.search.statement_tables import mining_word_rarities

pytestmark = pytest.mark.slow

FILLINGS = {
    "agent": ["noun man", "noun woman", "noun kid", "noun dog", "noun person"],
    "verb": ["verb sing", "verb dance", "verb hold", "verb sit"],
    "object": ["noun guitar", "noun piano", "noun apple", "noun idea"],
    "other": ["noun table", "noun chair"],
    "place": ["noun stage", "noun beach", "noun kitchen"],
    "time": ["noun night", "noun morning"],
    "agent colour": ["adj red", "adj blue"],
    "object colour": ["adj red", "adj blue", "adj colorful"],
}
VOCABULARY = sorted({word for words in FILLINGS.values() for word in words})
NAMES, WORDS = mining_word_rarities(pa.array(VOCABULARY), np.arange(len(VOCABULARY)) % 7 * 9, 60)
STATEMENT = st.fixed_dictionaries({}, optional={slot: st.sampled_from(words) for slot, words in FILLINGS.items()})
LIMITS = st.builds(Limits, st.sampled_from([0.0, 1.0, 2.5]), st.floats(0, 1), st.integers(1, 2))


@st.composite
def alike(draw):
    """Statements that differ from one in a few slots: others are hardly ever pairs."""
    first = draw(STATEMENT.filter(bool))
    found = [first]
    for _ in range(draw(st.integers(1, 8))):
        slots = draw(st.lists(st.sampled_from(list(FILLINGS)), max_size=3))
        other = {**first, **{slot: draw(st.sampled_from([*FILLINGS[slot], None])) for slot in slots}}
        found.append({slot: word for slot, word in other.items() if word} or first)
    return found


def rows(statements):
    words_NS = np.full((len(statements), len(SLOTS)), NOTHING, np.int32)
    for row, statement in enumerate(statements):
        for slot, word in statement.items():
            words_NS[row, SLOTS.index(slot)] = VOCABULARY.index(word)
    masses = [sum(map(weight, {*statement.values()})) + 0.5 * (row % 3) for row, statement in enumerate(statements)]
    return Statements(words_NS, np.array(masses, np.float64))


def weight(word):
    return WORDS.weight_V[VOCABULARY.index(word)]


def slow(one, other, masses, limits):
    """The slots that change, and what is common, if two statements are a pair; else nothing."""
    both = {slot: (one[slot], other[slot]) for slot in one if slot in other}
    same = {slot for slot, (word, else_) in both.items() if word == else_}
    relation = {
        slot: relation_of(word.split()[0], word.split(" ", 1)[1], else_.split(" ", 1)[1])
        for slot, (word, else_) in both.items()
        if word != else_
    }
    stays = same | {slot for slot, found in relation.items() if found == FITS}
    untold = {slot for slot in SLOTS if slot not in one and slot not in other}
    loose = {slot for slot in ("agent", "object") if relation.get(slot) == UNRELATED and "verb" in same}
    changes = {slot for slot, found in relation.items() if found == EXCLUDES and slot != "other"}
    changes = {slot for slot in changes if " " not in slot or slot.split(" ")[0] in stays} | loose
    grounds = [slot for slot in ("agent", "verb", "object", "other", "place") if slot in same]
    is_told = any(
        WORDS.is_specific_V[VOCABULARY.index(one[slot])] and weight(one[slot]) >= limits.rarity for slot in grounds
    )
    shared = sum(weight(one[slot]) for slot in same)
    shared += sum(0.5 * min(map(weight, both[slot])) for slot, found in relation.items() if found == FITS)
    alone = max(sum(masses) - sum(sum(map(weight, both[slot])) for slot in changes) - 2 * shared, 0) / 2
    common = round(shared / max(shared + alone, 1e-9), 5)
    is_bad = any((relation.get(slot) in (CLASH, UNRELATED) and slot not in changes)
                 or relation.get(slot) == CLASH for slot in ("agent", "verb", "object", "place"))  # fmt: skip
    fixed = stays | untold
    may = fixed | (one.keys() ^ other.keys())
    needs = {
        "verb": ("object" in same or ("object" in untold and "agent" in same and {"other", "place"} & same))
        and "agent" in fixed,
        "object": "verb" in fixed and "agent" in may,
        "agent": "verb" in fixed and "object" in may,
        "place": "verb" in fixed and {"agent", "object"} <= may,
        "time": "verb" in fixed and {"agent", "object"} <= may,
    }
    is_pair = is_told and 1 <= len(changes) <= limits.changes and common >= limits.share and not is_bad
    is_pair &= ("verb" in one) == ("verb" in other) and all(needs.get(slot, True) for slot in changes)
    core = sum(slot in relation for slot in ("agent", "verb", "object", "place"))
    is_pair &= core <= limits.changes + 1 and not (loose and (len(changes) > 1 or common < statement_pairs.ALL))
    return (sorted(changes), round(float(common), 4)) if is_pair else ()


@settings(max_examples=300)
@given(alike(), LIMITS)
def test_pairs_are_those_of_the_slow_definition_in_either_order(statements, limits):
    told = rows(statements)
    ones, others = np.array(list(combinations(range(len(statements)), 2))).T
    expected = {
        (one, other): found
        for one, other in zip(ones.tolist(), others.tolist(), strict=True)
        if (found := slow(statements[one], statements[other], told.mass_N[[one, other]], limits))
    }
    for first, second in ((ones, others), (others, ones)):
        found = compare_statement_pairs(told.take(first), told.take(second), WORDS, limits)
        changes = [(sorted(SLOTS[slot] for slot in np.flatnonzero(row)), round(float(common), 4))
                   for row, common in zip(found.changes_PS, found.ground_P, strict=True)]  # fmt: skip
        places = zip(ones[found.rows].tolist(), others[found.rows].tolist(), strict=True)
        assert dict(zip(places, changes, strict=True)) == expected


@given(st.lists(st.integers(0, 9), max_size=6), st.integers(2, 5), st.sampled_from([1, 3, 50]))
def test_every_two_rows_of_a_piece_of_a_group_meet_once(sizes, most, block):
    starts = np.append(0, np.cumsum(sizes)).astype(np.int64)
    expected = [
        pair
        for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
        for piece in range(start, end, most)
        for pair in combinations(range(piece, min(piece + most, end)), 2)
    ]
    whole = statement_pairs.BLOCK
    statement_pairs.BLOCK = block
    try:
        found = [
            pair
            for one, other in statement_pair_blocks(starts, most)
            for pair in zip(one.tolist(), other.tolist(), strict=True)
        ]
    finally:
        statement_pairs.BLOCK = whole
    assert sorted(found) == sorted(expected) and len(set(found)) == len(found)


class Known:
    """The rows of videos, as they would lie on disk."""

    def __init__(self, stated):
        self.stated = stated

    def take(self, numbers, columns):
        return pa.table({"stated": self.stated}).take(pa.array(numbers)).select(columns)


@settings(max_examples=100)
@given(alike(), LIMITS)
def test_the_inverted_index_finds_what_comparing_all_would(statements, limits):
    told = rows(statements)
    filled = [[{"slot": slot, "word": word} for slot, word in each.items()] for each in statements]
    stated = pa.array([[{"filled": row, "named": sorted({*each.values()}), "evidence": 0}]
                       for row, each in zip(filled, statements, strict=True)])  # fmt: skip
    told = Statements(told.words_NS, np.array([sum(map(weight, {*each.values()})) for each in statements]).round(4))
    about = statement_search._Blocks(Search(limits, 1000), len(statements))
    sent = _sent(about, pa.table({"start": [0]}), Known(stated), (NAMES, WORDS))
    pairs = _paired(about.search, sent, (NAMES, WORDS))
    found = {*zip(pairs.column("reference").to_pylist(), pairs.column("target").to_pylist(), strict=True)}
    ones, others = np.array([(a, b) for a in range(len(statements)) for b in range(len(statements)) if a != b]).T
    every = compare_statement_pairs(told.take(ones), told.take(others), WORDS, limits)
    assert found == {*zip(ones[every.rows].tolist(), others[every.rows].tolist(), strict=True)}


def test_an_empty_index_has_no_pairs():
    empty = _sent(statement_search._Blocks(Search(Limits(0, 0, 1), 9), 0), pa.table({"start": [0]}),
                  Known(pa.array([], pa.list_(pa.struct([("filled", pa.list_(pa.struct([("slot", pa.string()),
                  ("word", pa.string())]))), ("named", pa.list_(pa.string())), ("evidence", pa.int8())])))),
                  (NAMES, WORDS))  # fmt: skip
    assert _paired(Search(Limits(0, 0, 1), 9), empty, (NAMES, WORDS)).num_rows == 0


@pytest.mark.parametrize("limits", [Limits(0, 0, 1)])
def test_a_guitar_gives_way_to_a_piano_and_an_idea_to_nothing(limits):
    said = [
        {"agent": "noun man", "verb": "verb hold", "object": f"noun {word}"} for word in ("guitar", "piano", "idea")
    ]
    told = rows(said)
    found = compare_statement_pairs(told.take(np.array([0, 0])), told.take(np.array([1, 2])), WORDS, limits)
    assert found.rows.tolist() == [0] and [SLOTS[slot] for slot in np.flatnonzero(found.changes_PS[0])] == ["object"]
