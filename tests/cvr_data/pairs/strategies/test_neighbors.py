"""neighbors: against a quadratic reading on small corpora; order, blocks and type of products do not matter."""

import sys
from functools import cache
from itertools import product

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.core.mapped_rows import mapped_rows_array
from cvr_data.core.stages import stage_rows_by_drop_reason
from cvr_data.features.encoders import ENCODERS
from cvr_data.language.words import words_of
from cvr_data.pairs.search import floors as _floors
from cvr_data.pairs.search import inverted_file, neighbour_jobs
from cvr_data.pairs.search import nearest as _nearest
from cvr_data.pairs.search.differences import pair_differences
from cvr_data.pairs.search.inverted_file import InvertedFile
from cvr_data.pairs.search.nearest import Band, mined_nearest_neighbours
from cvr_data.pairs.strategies import neighbors
from cvr_data.pairs.strategies.neighbors import Config, explain
from cvr_data.tables import PAIRS
from tests import mined_pairs
from tests.dataset_folders import write_artifact

pytestmark = pytest.mark.slow

words = cache(words_of)
WORDS = st.sampled_from(["dog", "Dog!", "cat", "a", "red", "runs"])
CAPTIONS = st.lists(WORDS, min_size=0, max_size=5).map(" ".join)
CORPORA = st.lists(st.lists(CAPTIONS, min_size=1, max_size=2), max_size=8).map(
    lambda videos: {f"v{number}": captions for number, captions in enumerate(videos)}
)
CONFIGS = st.builds(
    Config, k=st.integers(1, 4), low=st.sampled_from([-1.0, 0.1, 0.5]), high=st.sampled_from([0.8, 1.1]),
    mutual=st.booleans(), text_encoder=st.just("hash"),
)  # fmt: skip
ROW = ("reference_id", "target_id", "reference_caption", "target_caption")
HASH = ENCODERS.get("hash").load(ENCODERS.config("hash"))


def mined(corpus, config):
    return stage_rows_by_drop_reason(run(config, mined_pairs.captioned(corpus)))


def run(config, videos, embeddings=None):
    return mined_pairs.mined(neighbors, config, videos, embeddings)


@cache
def vector(caption):
    return HASH.encode_texts([caption]).pooled_BD[0].numpy().astype(np.float64)


def written(corpus):
    """The captions of at least two words: as the first video writes them, and who has them written how."""
    first, having = {}, {}
    for video_id, captions in sorted(corpus.items()):
        for caption in captions:
            if len(words(caption)) >= 2:
                key = tuple(words(caption))
                first.setdefault(key, caption)
                having.setdefault(key, {}).setdefault(video_id, caption)
    return first, having


def quadratic(corpus, config):
    """Every caption's k best of all others in the band, then every two videos that have such captions."""
    first, having = written(corpus)
    texts = sorted(first.values())
    best = {}
    for one in texts:
        similar = [(float(vector(one) @ vector(other)), other) for other in texts if other != one]
        in_band = [(-value, other) for value, other in similar if config.low <= value <= config.high]
        # equal products of float64 may differ in the last digit between two ways to sum
        best[one] = [other for _, other in sorted((round(value, 12), other) for value, other in in_band)[: config.k]]
    joined = all if config.mutual else any
    found = set()
    for one, other in product(texts, texts):
        if one != other and joined([other in best[one], one in best[other]]):
            for reference, before in having[tuple(words(one))].items():
                for target, after in having[tuple(words(other))].items():
                    if reference != target:
                        found.add((reference, target, before, after))
    return found


def rows_of(pairs):
    return {tuple(row[name] for name in ROW) for row in pairs.to_pylist()}


@settings(max_examples=30, deadline=None)
@given(CORPORA, CONFIGS)
def test_pairs_are_those_of_the_quadratic_reading(corpus, config):
    kept, dropped = mined(corpus, config)
    assert rows_of(kept) == quadratic(corpus, config)
    assert len(rows_of(kept)) == kept.num_rows
    assert dropped.num_rows == 0


@settings(max_examples=15, deadline=None)
@given(CORPORA, CONFIGS, st.randoms(use_true_random=False))
def test_the_order_of_the_videos_does_not_matter_and_pairs_go_both_ways(corpus, config, random):
    items = list(corpus.items())
    random.shuffle(items)
    kept = run(config, mined_pairs.captioned(dict(items)))
    assert kept.equals(run(config, mined_pairs.captioned(corpus)))
    changes = {
        tuple(row[name] for name in ROW): {(change["before"], change["after"]) for change in row["changes"]}
        for row in kept.to_pylist()
    }
    assert changes == {
        (target, reference, after, before): {(one, other) for other, one in found}
        for (reference, target, before, after), found in changes.items()
    }


@given(st.integers(0, 2**16), st.integers(1, 6), st.sampled_from([(-1.0, 1.1), (0.0, 0.7), (0.2, 0.9)]))
def test_blocks_and_the_type_of_the_products_do_not_matter(seed, k, limits):
    random = np.random.default_rng(seed)
    vectors_ND = random.standard_normal((40, 6)).astype(np.float32)
    vectors_ND[10:14] = vectors_ND[0]  # equal similarities
    vectors_ND /= np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    band = Band(k=k, low=limits[0], high=limits[1])
    expected = slow(vectors_ND, band)
    with pytest.MonkeyPatch.context() as patch:
        blocks = [(512, 8192, torch.float32), (7, 9, torch.bfloat16), (3, 2, torch.float32), (12, 19, torch.float32)]
        for (queries, keys, dtype), groups, gathered in zip(blocks, (64, 2, 2, 2), (8_000_000, 0, 0, 50), strict=True):
            patch.setattr(_nearest, "QUERIES", queries)
            patch.setattr(_nearest, "KEYS", keys)
            patch.setattr(_nearest, "GATHERED", gathered)
            patch.setattr(_floors, "FEWEST_GROUPS", groups)
            found = mined_nearest_neighbours(vectors_ND, band, dtype)
            assert list(zip(found.query.tolist(), found.neighbour.tolist(), strict=True)) == expected


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_vector_that_is_not_finite_is_refused_as_others_would_lose_neighbours(value, dtype):
    vectors_ND = np.eye(6, dtype=np.float32)
    vectors_ND[3, 1] = value
    with pytest.raises(CvrError, match="no finite number"):
        mined_nearest_neighbours(vectors_ND, Band(k=2, low=-1, high=1.1), dtype)


def slow(vectors_ND, band):
    found = []
    for query, vector in enumerate(vectors_ND):
        scores = np.einsum("nd,d->n", vectors_ND.astype(np.float64), vector.astype(np.float64))
        others = [row for row in range(len(scores)) if row != query and band.low <= scores[row] <= band.high]
        found += [(query, row) for row in sorted(others, key=lambda row: (-round(scores[row], 13), row))[: band.k]]
    return found


def test_a_near_duplicate_above_the_band_takes_no_place():
    vectors_ND = np.array([[1, 0], [1, 0], [0.8, 0.6], [0.6, 0.8]], np.float32)
    found = mined_nearest_neighbours(vectors_ND, Band(k=1, low=0.0, high=0.99))
    assert found.neighbour.tolist() == [2, 2, 3, 2]


def test_the_similarity_searched_by_is_in_the_table():
    kept, _ = mined({"v1": ["a dog"], "v2": ["a cat"]}, Config(text_encoder="hash", low=-1))
    expected = float(vector("a dog") @ vector("a cat"))
    assert kept.column("text_similarity").to_pylist() == pytest.approx([expected, expected])


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("a dog runs", "a cat runs", [("dog", "cat")]),
        ("a dog runs on sand", "a cat runs on the snow", [("dog", "cat"), ("sand", "the snow")]),
        ("a dog", "a red dog", [(None, "red")]),
        ("a red dog", "a dog", [("red", None)]),
    ],
)
def test_every_span_that_differs_is_a_change(before, after, expected):
    found = pair_differences(before.split(), after.split())
    assert [(change["before"], change["after"]) for change in found] == expected


def test_stored_captions_are_read_and_a_missing_one_is_named(tmp_path, cvr):
    corpus = {"v1": ["a dog runs"], "v2": ["a cat runs"], "v3": ["rain falls down"]}
    config = Config(text_encoder="hash", low=-1, k=2)
    write_artifact(
        tmp_path / "videos",
        "import-test",
        mined_pairs.captioned(corpus).append_column("caption", pa.array([said[0] for said in corpus.values()])),
    )
    words = ("embed", tmp_path / "videos", "-O", tmp_path / "texts", "--column", "caption", "--encoder", "hash")
    cvr.done(*words)
    stored = run(config, mined_pairs.captioned(corpus), tmp_path / "texts")
    encoded = run(config, mined_pairs.captioned(corpus))
    similarities = [pairs.column("text_similarity").to_pylist() for pairs in (stored, encoded)]
    assert similarities[0] == pytest.approx(similarities[1], abs=1e-3)  # stored as float16
    assert stored.drop_columns("text_similarity").equals(encoded.drop_columns("text_similarity"))
    with pytest.raises(CvrError, match=r"has no features of 'a dog sits'\."):
        run(config, mined_pairs.captioned({**corpus, "v4": ["a dog sits"]}), tmp_path / "texts")
    words = ("mine-pairs", tmp_path / "videos", "--strategy", "neighbors", "--embeddings", tmp_path / "texts")
    cvr.done(*words, "-O", tmp_path / "pairs", "-o", "low=-1", "-o", "k=1", "--filter", "min-words")
    assert set(open_artifact(tmp_path / "pairs").read().column_names) >= set(PAIRS.names)


def test_explain_tells_the_similarity_and_the_band():
    config = Config(text_encoder="hash", low=0.5)
    assert explain(config, "a dog runs", "A dog runs!") == "not a pair: no word differs"
    assert explain(config, "dog", "a cat") == "not a pair: a caption has fewer than 2 words"
    assert "outside 0.5 to 0.976" in explain(config, "a dog runs", "rain falls down")
    assert explain(Config(text_encoder="hash", low=-1), "a dog", "a cat").startswith("a pair if one is among the 10")


def vectors(seed, count):
    """Unit vectors around some of them, no two products of which are equal."""
    random = np.random.default_rng(seed)
    rows_ND = random.standard_normal((count // 8, 24))[random.integers(0, count // 8, count)]
    rows_ND = (rows_ND + 0.6 * random.standard_normal((count, 24))).astype(np.float32)
    return rows_ND / np.linalg.norm(rows_ND, axis=1, keepdims=True)


def by_faiss(vectors_ND, band, probes, shard, block):
    inverted = InvertedFile(probes)
    sample_ND = vectors_ND[inverted.sample(len(vectors_ND))]
    centroids_CD = mapped_rows_array(
        inverted_file.mining_cell_centroids(inverted, sample_ND, len(vectors_ND)).column("centroid")
    )
    cells = inverted_file.mining_cells(inverted, vectors_ND, centroids_CD).column("cells")
    rows = range(0, len(vectors_ND), shard)
    shards = [_nearest.Rows(start, vectors_ND[start : start + shard]) for start in rows]
    blocks = [_nearest.Rows(start, vectors_ND[start : start + block]) for start in range(0, len(vectors_ND), block)]
    found = [inverted_file.mined_neighbours_in_cells(each, shards, band, centroids_CD, cells) for each in blocks]
    return _nearest.join_neighbours(found)


def pairs_of(found):
    return list(zip(found.query.tolist(), found.neighbour.tolist(), found.similarity.tolist(), strict=True))


@pytest.mark.parametrize("limits", [(-1.0, 1.1), (0.3, 0.8)])
def test_faiss_finds_all_in_all_cells_and_most_in_few_whatever_the_shards(limits):
    pytest.importorskip("faiss", reason="the extra `faiss` is not installed")
    vectors_ND = vectors(0, 600)
    band = Band(k=4, low=limits[0], high=limits[1])
    exact = pairs_of(mined_nearest_neighbours(vectors_ND, band))
    assert pairs_of(by_faiss(vectors_ND, band, 600, 250, 170)) == exact
    some = pairs_of(by_faiss(vectors_ND, band, 12, 600, 600))
    assert pairs_of(by_faiss(vectors_ND, band, 12, 130, 90)) == some
    assert 0.8 < len({*some} & {*exact}) / len(exact) < 1


CORPUS = {f"v{n}": [" ".join(words)] for n, words in enumerate(product("abcd", "efgh", ["ij", "k l"]))}


@pytest.mark.parametrize("exact_up_to", [0, 32])
def test_jobs_of_few_captions_and_other_cuts_give_the_pairs_of_one_search(exact_up_to, monkeypatch):
    pytest.importorskip("faiss", reason="the extra `faiss` is not installed")
    config = Config(k=3, low=-1, text_encoder="hash", exact_up_to=exact_up_to, probes=64)
    whole = run(Config(k=3, low=-1, text_encoder="hash"), mined_pairs.captioned(CORPUS))
    for module, name, value in ((neighbors, "CAPTIONS", 5), (neighbors, "FOUND", 20), (neighbour_jobs, "QUERIES", 7),
                                (neighbour_jobs, "KEYS", 9), (neighbour_jobs, "PROBING", 11)):  # fmt: skip
        monkeypatch.setattr(module, name, value)
    for rows_per_part in (3, 40):
        found = mined_pairs.mined(neighbors, config, mined_pairs.captioned(CORPUS), rows_per_part=rows_per_part)
        assert found.sort_by(mined_pairs.ORDER).to_pylist() == whole.to_pylist()
    assert whole.num_rows > 3 * len(CORPUS)


def test_more_captions_without_faiss_are_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)  # as where it is not installed
    line = r"neighbors of 32 captions needs FAISS: pip install 'cvr\[faiss\]', or -o exact_up_to=32"
    with pytest.raises(CvrError, match=line):
        run(Config(text_encoder="hash", exact_up_to=31), mined_pairs.captioned(CORPUS))
