"""one-word: against a quadratic reading of its definition on small corpora, and what must not matter."""

import csv
import json
from functools import cache

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvr_data.core.stages import stage_rows_by_drop_reason
from cvr_data.language.words import words_of
from cvr_data.pairs.strategies import one_word
from cvr_data.pairs.strategies.one_word import Config, explain
from cvr_data.tables import pair_id
from tests.mined_pairs import captioned, first_of_each

words = cache(words_of)
COLUMNS = ["pair_id", "reference_id", "target_id", "reference_caption", "target_caption"]
NO_CAP = Config(max_group=1000, max_videos_per_caption=1000)
WORDS = st.sampled_from(["dog", "Dog!", "cat", "a", "red", '"a', "runs\\", "-", "sat\n", "é", "e\u0301"])
CAPTIONS = st.lists(WORDS, min_size=0, max_size=4).map(" ".join)
CORPORA = st.lists(st.lists(CAPTIONS, min_size=1, max_size=3), max_size=9).map(
    lambda videos: {f'v"{number}': captions for number, captions in enumerate(videos)}
)


def mined(corpus, config=NO_CAP):
    return stage_rows_by_drop_reason(one_word.run(config, captioned(corpus)))


def rows_of(pairs):
    return sorted(tuple(row[name] for name in COLUMNS) for row in pairs.to_pylist())


def quadratic(corpus, min_words=2):
    """Every ordered pair of videos, each pair of their distinct captions, compared word by word."""
    found = set()
    for reference, first in corpus.items():
        for target, second in corpus.items():
            for before in first_of_each(first):
                for after in first_of_each(second):
                    one, other = words(before), words(after)
                    is_alike = len(one) == len(other) >= min_words
                    if reference != target and is_alike and sum(a != b for a, b in zip(one, other, strict=True)) == 1:
                        key = pair_id(reference, target, before, after)
                        found.add((key, reference, target, before, after))
    return sorted(found)


@settings(max_examples=100, deadline=None)
@given(CORPORA)
def test_pairs_are_those_of_the_quadratic_reading(corpus):
    kept, dropped = mined(corpus)
    assert rows_of(kept) == quadratic(corpus)
    assert dropped.num_rows == 0


@given(CORPORA)
def test_every_pair_has_its_reverse_with_the_words_swapped(corpus):
    changes = {(row["pair_id"], row["changes"][0]["before"], row["changes"][0]["after"])
               for row in mined(corpus)[0].to_pylist()}  # fmt: skip
    swapped = {
        (pair_id(row["target_id"], row["reference_id"], row["target_caption"], row["reference_caption"]),
         row["changes"][0]["after"], row["changes"][0]["before"])
        for row in mined(corpus)[0].to_pylist()
    }  # fmt: skip
    assert changes == swapped


@given(CORPORA, st.randoms(use_true_random=False))
def test_the_order_and_chunks_of_the_videos_do_not_matter(corpus, random):
    config = Config(max_group=2, max_videos_per_caption=2)
    items = list(corpus.items())
    random.shuffle(items)
    shuffled = captioned(dict(items))
    cut = random.randint(0, len(items))
    chunked = pa.concat_tables([shuffled.slice(0, cut), shuffled.slice(cut)])
    assert one_word.run(config, chunked).equals(one_word.run(config, captioned(corpus)))


@given(CORPORA)
def test_every_pair_is_kept_or_in_a_dropped_group(corpus):
    config = Config(max_group=2, max_videos_per_caption=2)
    kept, dropped = mined(corpus, config)
    groups = {row["reference_caption"] for row in dropped.to_pylist()}
    lost = set(quadratic(corpus)) - set(rows_of(kept))
    assert set(rows_of(kept)) <= set(quadratic(corpus))
    for row in lost:
        assert groups & set(one_word.group_texts(row[3], row[4])), row
    for row in rows_of(kept):
        assert not groups & set(one_word.group_texts(row[3], row[4])), row


@given(CORPORA)
def test_explain_says_of_every_two_captions_what_run_does(corpus):
    captions = sorted({caption for said in corpus.values() for caption in said})[:7]
    for before in captions:
        for after in captions:
            is_pair = bool(quadratic({"x": [before], "y": [after]}))
            assert explain(NO_CAP, before, after).startswith("a pair") == is_pair


def test_a_template_is_one_dropped_row_with_its_size():
    corpus = {f"v{word}": [f"flag of {word}"] for word in ("peru", "chad", "laos", "cuba")}
    corpus["w"] = ["flag of peru"]
    kept, dropped = mined(corpus, Config(max_group=3))
    assert kept.num_rows == 0
    row = dropped.to_pylist()[0]
    assert dropped.num_rows == 1
    assert (row["reference_caption"], row["drop_reason"]) == ("flag of _", "template_group")
    assert (row["n_captions"], row["n_videos"], row["n_pairs"]) == (4, 5, 5 * 5 - (2 * 2 + 1 + 1 + 1))


def test_a_caption_of_very_many_videos_is_one_dropped_row():
    corpus = {f"v{number}": ["a dog"] for number in range(4)} | {"w": ["a cat"]}
    kept, dropped = mined(corpus, Config(max_videos_per_caption=3))
    assert kept.num_rows == 0
    row = dropped.to_pylist()[0]
    assert (row["reference_caption"], row["drop_reason"], row["n_videos"]) == ("a dog", "crowded_caption", 4)


def test_captions_as_written_are_kept_and_shared_ones_pair_every_video():
    kept, _ = mined({"v1": ["A dog runs."], "v2": ["a dog runs"], "v3": ["A cat runs"]})
    texts = {(row["reference_id"], row["target_id"]): row["reference_caption"] for row in kept.to_pylist()}
    assert texts == {
        ("v1", "v3"): "A dog runs.", ("v2", "v3"): "a dog runs", ("v3", "v1"): "A cat runs", ("v3", "v2"): "A cat runs",
    }  # fmt: skip


def test_min_words_counts_words_and_not_signs():
    corpus = {"v1": ["a - dog"], "v2": ["a - cat"]}
    assert mined(corpus, Config(min_words=2, max_group=9))[0].num_rows == 2
    assert mined(corpus, Config(min_words=3, max_group=9))[0].num_rows == 0


def test_pair_ids_are_those_of_the_tables_for_awkward_texts():
    corpus = {'a"\\/\x01': ['he said "go\tup"'], "b\u2028\x7fé": ['he said "go down"'], "c": ["he said go \\up"]}
    kept, _ = mined(corpus)
    for row in kept.to_pylist():
        assert row["pair_id"] == pair_id(*(row[name] for name in COLUMNS[1:])), json.dumps(row)
    assert kept.num_rows >= 2


@pytest.mark.data
def test_all_published_pairs_are_found(real_data):
    with (real_data / "webvid_covr" / "webvid8m-covr_test.half.csv").open(encoding="utf-8", newline="") as file:
        published = list(csv.DictReader(file))
    corpus = {row[f"pth{side}"]: [row[f"txt{side}"]] for row in published for side in (1, 2)}
    wanted = {(row["pth1"], row["pth2"]) for row in published}
    pairs, _ = mined(corpus, Config(max_group=10**9, max_videos_per_caption=10**9))
    found = zip(pairs["reference_id"].to_pylist(), pairs["target_id"].to_pylist(), strict=True)
    assert len(wanted) == 1278
    assert wanted <= set(found)
