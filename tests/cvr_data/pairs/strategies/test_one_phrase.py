"""one-phrase: against a quadratic reading of its definition on small corpora, and what must not matter."""

from collections import defaultdict
from functools import cache
from itertools import product

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvr_data.core.stages import stage_rows_by_drop_reason
from cvr_data.language.words import words_of
from cvr_data.pairs.search import spans as _spans
from cvr_data.pairs.strategies import one_phrase, one_word
from cvr_data.pairs.strategies.one_phrase import Config, explain, group_texts
from cvr_data.tables import pair_id
from tests.mined_pairs import captioned, first_of_each

words = cache(words_of)
COLUMNS = ["pair_id", "reference_id", "target_id", "reference_caption", "target_caption"]
NO_CAP = {"phrases": "any", "max_group": 1000, "max_videos_per_caption": 1000}
WORDS = st.sampled_from(["dog", "Dog!", "cat", "a", "red"])
CAPTIONS = st.lists(WORDS, min_size=0, max_size=6).map(" ".join)
CORPORA = st.lists(st.lists(CAPTIONS, min_size=1, max_size=2), max_size=8).map(
    lambda videos: {f"v{number}": captions for number, captions in enumerate(videos)}
)
CONFIGS = st.builds(
    Config, max_span=st.integers(2, 4), min_shared_words=st.integers(1, 3), one_word=st.booleans(),
    phrases=st.just("any"), max_group=st.sampled_from([2, 3, 1000]), max_videos_per_caption=st.sampled_from([2, 1000]),
)  # fmt: skip


@pytest.fixture(params=["spread", "colliding", "small passes"])
def search(request, monkeypatch):
    """The search as it is, one hash for every frame, and passes of a few entries."""
    if request.param == "colliding":
        monkeypatch.setattr(_spans, "mix_hash_bits", lambda values: np.zeros(values.shape, np.uint64))
    if request.param == "small passes":
        monkeypatch.setattr(_spans, "PASS_ENTRIES", 5)
        monkeypatch.setattr(_spans, "CHECKED", 2)


def mined(corpus, config):
    return stage_rows_by_drop_reason(one_phrase.run(config, captioned(corpus)))


def rows_of(pairs):
    return sorted(
        (*(row[name] for name in COLUMNS), row["changes"][0]["before"], row["changes"][0]["after"])
        for row in pairs.to_pylist()
    )


def frames_of(caption, config):
    """Every (first words, last words, span) of a caption."""
    said = words(caption)
    for start, size in product(range(len(said)), range(1, config.max_span + 1)):
        if start + size <= len(said) and len(said) - size >= config.min_shared_words:
            yield said[:start], said[start + size :], said[start : start + size]


def spans(before, after, config):
    """The two spans of the longest frame that two captions share, the one with most first words; None if none does."""
    if words(before) == words(after):
        return None
    shared = [
        (len(first) + len(last), len(first), " ".join(one), " ".join(other))
        for first, last, one in frames_of(before, config)
        for also_first, also_last, other in frames_of(after, config)
        if (first, last) == (also_first, also_last)
    ]
    _, _, one, other = max(shared, default=(0, 0, None, None))
    is_left_out = one is None or (not config.one_word and " " not in one + other)
    return None if is_left_out else (one, other)


def quadratic(corpus, config):
    found = set()
    for reference, target in product(corpus, corpus):
        for before, after in product(first_of_each(corpus[reference]), first_of_each(corpus[target])):
            if reference != target and (said := spans(before, after, config)):
                key = pair_id(reference, target, before, after)
                found.add((key, reference, target, before, after, *said))
    return sorted(found)


def test_pairs_are_those_of_the_quadratic_reading(search):
    @settings(max_examples=60)
    @given(CORPORA, st.integers(2, 4), st.integers(1, 3), st.booleans())
    def check(corpus, max_span, min_shared, one_word):
        config = Config(max_span=max_span, min_shared_words=min_shared, one_word=one_word, **NO_CAP)
        kept, dropped = mined(corpus, config)
        assert rows_of(kept) == quadratic(corpus, config)
        assert dropped.num_rows == 0

    check()


@given(CORPORA)
def test_spans_of_one_word_are_the_pairs_of_one_word(corpus):
    kept, _ = mined(corpus, Config(max_span=1, **NO_CAP))
    other, _ = stage_rows_by_drop_reason(
        one_word.run(one_word.Config(max_group=1000, max_videos_per_caption=1000), captioned(corpus))
    )
    assert kept.drop_columns("strategy").equals(other.drop_columns("strategy"))


@given(CORPORA, CONFIGS)
def test_every_pair_has_its_reverse_with_the_spans_swapped(corpus, config):
    rows = rows_of(mined(corpus, config)[0])
    assert {row[1:] for row in rows} == {(row[2], row[1], row[4], row[3], row[6], row[5]) for row in rows}


@given(CORPORA, CONFIGS, st.randoms(use_true_random=False))
def test_the_order_and_chunks_of_the_videos_do_not_matter(corpus, config, random):
    items = list(corpus.items())
    random.shuffle(items)
    shuffled = captioned(dict(items))
    cut = random.randint(0, len(items))
    chunked = pa.concat_tables([shuffled.slice(0, cut), shuffled.slice(cut)])
    assert one_phrase.run(config, chunked).equals(one_phrase.run(config, captioned(corpus)))


@given(CORPORA, CONFIGS)
def test_every_pair_is_kept_or_in_a_dropped_group(corpus, config):
    kept, dropped = mined(corpus, config)
    groups = {row["reference_caption"] for row in dropped.to_pylist()}
    everything = set(quadratic(corpus, config))
    assert set(rows_of(kept)) <= everything
    for row in everything:
        is_dropped = bool(groups & set(group_texts(row[3], row[4])))
        assert is_dropped != (row in set(rows_of(kept))), row


@given(CORPORA, CONFIGS)
def test_a_dropped_frame_tells_how_many_pairs_it_would_have_made(corpus, config):
    corpus = {key: captions[:1] for key, captions in corpus.items()}
    lost = defaultdict(int)
    everyone = Config(**{**vars(config), "max_videos_per_caption": 1000})
    for row in quadratic(corpus, everyone):
        lost[group_texts(row[3], row[4])[0]] += 1
    for row in mined(corpus, everyone)[1].to_pylist():
        assert row["n_pairs"] == lost[row["reference_caption"]]
        assert row["n_captions"] > config.max_group


@given(CORPORA, CONFIGS)
def test_explain_says_of_every_two_captions_what_run_does(corpus, config):
    captions = sorted({caption for said in corpus.values() for caption in said})[:7]
    for before, after in product(captions, captions):
        assert explain(config, before, after).startswith("a pair") == (spans(before, after, config) is not None)


def test_spans_of_unequal_length_pair_up_and_are_told_whole():
    kept, _ = mined({"v1": ["A red car drives by"], "v2": ["a vintage diesel motorcycle drives by."]}, Config(**NO_CAP))
    changes = [(row["changes"][0]["before"], row["changes"][0]["after"]) for row in kept.to_pylist()]
    assert changes == [("red car", "vintage diesel motorcycle"), ("vintage diesel motorcycle", "red car")]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("a dog runs", "a big dog runs", "dog -> big dog"),
        ("a dog runs", "a dog runs fast", "runs -> runs fast"),
        ("dog runs", "big dog runs", "dog -> big dog"),
        ("a dog", "a dog dog", "dog -> dog dog"),
    ],
)
def test_a_word_more_is_told_with_its_neighbour(before, after, expected):
    config = Config(**NO_CAP)
    assert explain(config, before, after) == f"a pair: {expected}"
    kept, _ = mined({"v1": [before], "v2": [after]}, config)
    assert " -> ".join(kept.to_pylist()[0]["changes"][0][side] for side in ("before", "after")) == expected


@pytest.mark.engine
def test_spans_that_are_no_phrases_are_dropped_with_the_reason():
    corpus = {
        "v1": ["a man is riding a red bike on the street"], "v2": ["a man is riding a horse on the street"],
        "v3": ["a man is washing a horse on the street"], "v4": ["a man is riding a horse on a beach"],
        "v5": ["a man is riding a horse near the street"],
    }  # fmt: skip
    kept, dropped = mined(corpus, Config())
    found = {(row["reference_id"], row["target_id"]) for row in kept.to_pylist()}
    assert {("v1", "v2"), ("v2", "v3"), ("v3", "v2")} <= found
    reasons = {(row["reference_id"], row["target_id"]): row["drop_reason"] for row in dropped.to_pylist()}
    assert reasons[("v2", "v5")] == "not_a_phrase"  # on -> near
    everything, _ = mined(corpus, Config(phrases="any"))
    assert everything.num_rows == kept.num_rows + dropped.num_rows
    verbs, _ = mined(corpus, Config(phrases="verb"))
    assert {(row["reference_id"], row["target_id"]) for row in verbs.to_pylist()} == {("v2", "v3"), ("v3", "v2")}
    for row in [*kept.to_pylist(), *dropped.to_pylist()]:
        told = explain(Config(), row["reference_caption"], row["target_caption"])
        assert told.startswith("a pair") == (row["drop_reason"] is None if "drop_reason" in row else True), told
