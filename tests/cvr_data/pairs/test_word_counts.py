"""How often changed words are in the captions of a corpus."""

import pyarrow as pa

from cvr_data.pairs.columns import WordUses, count_words_to_mine, pair_change_rarity, sum_mining_word_counts
from cvr_data.tables import CHANGE


def uses_of(videos):
    """Count the words of one video after the other, as the parts of a corpus are."""
    parts = [count_words_to_mine(None, videos.slice(row, 1)) for row in range(videos.num_rows)]
    counts = sum_mining_word_counts(None, pa.concat_tables(parts)).combine_chunks()
    return WordUses(counts.column("word").chunk(0), counts.column("uses").to_numpy())


def test_the_rarest_word_of_a_phrase_counts_and_a_phrase_without_words_has_no_count():
    videos = pa.table({"captions": [["A red ball.", "a Red cube"], ["red"], []]})
    changes = [
        [{"before": "red", "after": "ball"}, {"before": "red cube", "after": "violet"}],
        [],
        [{"before": None, "after": "a cube"}, {"before": "", "after": "--"}],
    ]
    pairs = pa.table({"changes": pa.array(changes, pa.list_(CHANGE))})
    assert pair_change_rarity(pairs, uses_of(videos)).to_pylist() == [
        [{"before": 3, "after": 1}, {"before": 1, "after": 0}],
        [],
        [{"before": None, "after": 1}, {"before": None, "after": None}],
    ]


def test_no_pairs_have_no_counts():
    pairs = pa.table({"changes": pa.array([], pa.list_(CHANGE))})
    assert pair_change_rarity(pairs, uses_of(pa.table({"captions": [["a ball"]]}))).to_pylist() == []
