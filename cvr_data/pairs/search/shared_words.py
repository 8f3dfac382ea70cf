"""Videos that share the most content words with the captions of a query, found part by part; rare words count more."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.parts import Bucket, artifact_bucket_table
from cvr_data.language.normalise import WordIds, word_ids
from cvr_data.language.stop_words import FUNCTION_WORDS
from cvr_data.language.words import words_of

QUERY_COLUMNS = ("query_id", "reference_id", "target_id", "reference_caption", "target_caption", "changes")


class CaptionWords(NamedTuple):
    """In how many captions of the pool each content word is, and how many there are."""

    words: pa.Array
    captions: np.ndarray
    size: int


@dataclass(frozen=True)
class _Index:
    """Which captions have a content word: word w is in `entries[starts[w] : starts[w + 1]]`."""

    starts: np.ndarray
    entries: np.ndarray
    weights: np.ndarray
    """Of each word: the logarithm of how few captions of the pool have it."""
    vocabulary: pa.Array
    video_rows: np.ndarray
    """Row in the part of each caption, rising."""
    captions: pa.Array


def candidates(most: int, pool: pa.Table, queries: pa.Table, known: CaptionWords) -> pa.Table:
    """Return at most `most` videos of a part of the pool per query, with the best of their captions.

    Args:
        most: videos per query.
        pool: videos of the part, in any order.
        queries: triplets; of several of one query, the first says what the query is about.
        known: words of the captions of the whole pool.
    """
    pool = pool.sort_by("video_id")
    index = _shared_words_index(pool, known)
    asked = _queries_sharing_words(queries)
    sides = [_known_words(word_ids(asked.column(f"{side}_caption")), index) for side in ("reference", "target")]
    rows, entries, scores = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)]
    shared: list[list[str]] = []
    for query in range(asked.num_rows):
        words = np.unique(np.concatenate([side[query] for side in sides]))
        best, score = _best_captions(index, words, most)
        rows.append(np.full(len(best), query))
        entries.append(best)
        scores.append(score)
        shared += _words_shared_by_captions(index, words, best)
    chosen = np.concatenate(entries)
    return pa.table(
        {
            "query_id": asked.column("query_id").take(pa.array(np.concatenate(rows))),
            "video_id": pool.column("video_id").take(pa.array(index.video_rows[chosen])),
            "caption": index.captions.take(pa.array(chosen)),
            "shared": pa.array(shared, pa.list_(pa.string())),
            "score": np.concatenate(scores),
        }
    )


def best_candidates(most: int, found: pa.Table, queries: pa.Table) -> pa.Table:
    """Return the best videos of each query among those of all parts, with the columns of the query.

    `has_target_words` says whether their caption has all content words of the target's. A video that was found in
    several ways counts once.
    """
    found = found.sort_by([("query_id", "ascending"), ("score", "descending"), ("video_id", "ascending")])
    found = found.take(pa.array(_first_of_each(found)))
    query = pc.rank(found.column("query_id"), tiebreaker="dense").to_numpy()
    starts = np.flatnonzero(np.append(True, np.diff(query) != 0)[: len(query)])
    place = np.arange(len(query)) - np.repeat(starts, np.diff(np.append(starts, len(query))))
    found = found.filter(pa.array(place < most)).drop_columns(["score"])
    asked = _queries_sharing_words(queries)
    table = asked.take(pc.index_in(found.column("query_id"), asked.column("query_id").combine_chunks()))
    for name in ("video_id", "caption", "shared"):
        table = table.append_column(name, found.column(name))
    wanted = pc.unique(table.column("target_caption"))
    words = {text: {*words_of(text or "")} - {*FUNCTION_WORDS} for text in wanted.to_pylist()}
    has_all = [
        bool(words[text]) and words[text] <= {*words_of(caption or "")}
        for text, caption in zip(table.column("target_caption").to_pylist(), found["caption"].to_pylist(), strict=True)
    ]
    return table.append_column("has_target_words", pa.array(has_all, pa.bool_()))


def _first_of_each(found: pa.Table) -> np.ndarray:
    """The first row of each query and video, in order."""
    codes = [
        pc.rank(found.column(name), tiebreaker="dense").to_numpy().astype(np.int64) for name in ("query_id", "video_id")
    ]
    _, first = np.unique(codes[0] * (codes[1].max(initial=0) + 1) + codes[1], return_index=True)
    return np.sort(first)


def caption_words(config: Any, pool: pa.Table) -> pa.Table:
    """Return in how many captions of a part each word is, and under the empty word how many there are."""
    captions = pc.list_flatten(pool.column("captions").combine_chunks())
    words = word_ids(captions)
    word, _ = _uses_of_caption_words(words, len(captions))
    counts = np.append(np.bincount(word, minlength=len(words.vocabulary)), len(captions))
    return pa.table({"word": pa.concat_arrays([words.vocabulary, pa.array([""])]), "uses": counts})


def load_mining_caption_words(bucket: Bucket) -> CaptionWords:
    """Return the sums of what `caption_words` gave."""
    counts = artifact_bucket_table(bucket).group_by("word").aggregate([("uses", "sum")]).combine_chunks()
    words, uses = counts.column("word").combine_chunks(), counts.column("uses_sum").to_numpy()
    return CaptionWords(words, uses, int(uses[pc.index(words, "").as_py()]))


def _queries_sharing_words(queries: pa.Table) -> pa.Table:
    """Return what each query is about, in the order of their ids."""
    _, first = np.unique(queries.column("query_id").to_numpy(), return_index=True)
    return queries.take(pa.array(first)).select(QUERY_COLUMNS)


def _uses_of_caption_words(words: WordIds, captions: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each word of each caption once, as numbers of both, in the order of the words."""
    size = max(captions, 1)
    caption = np.repeat(np.arange(captions), np.diff(words.offsets))
    return np.divmod(np.unique(words.ids.astype(np.int64) * size + caption), size)


def _shared_words_index(pool: pa.Table, known: CaptionWords) -> _Index:
    lists = pool.column("captions").combine_chunks()
    captions = pc.list_flatten(lists)
    words = word_ids(captions)
    word, entries = _uses_of_caption_words(words, len(captions))
    is_content = ~pc.is_in(words.vocabulary, pa.array(FUNCTION_WORDS)).to_numpy(zero_copy_only=False)
    entries, word = entries[is_content[word]], word[is_content[word]]
    uses = known.captions[pc.index_in(words.vocabulary, known.words).to_numpy(zero_copy_only=False)]
    return _Index(
        starts=np.searchsorted(word, np.arange(len(words.vocabulary) + 1)),
        entries=entries,
        weights=np.log(max(known.size, 1) / np.maximum(uses, 1)) + 1e-9,
        vocabulary=words.vocabulary,
        video_rows=pc.list_parent_indices(lists).to_numpy(zero_copy_only=False),
        captions=captions,
    )


def _known_words(words: WordIds, index: _Index) -> list[np.ndarray]:
    """Return, per text, the numbers in the index of its content words."""
    numbers = pc.fill_null(pc.index_in(words.vocabulary, index.vocabulary), -1).to_numpy().astype(np.int64)
    found = numbers[words.ids]
    per_text = np.split(found, words.offsets[1:-1])
    has_captions = np.diff(index.starts) > 0
    return [np.array([word for word in text if word >= 0 and has_captions[word]], np.int64) for text in per_text]


def _best_captions(index: _Index, words: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the best caption of each of the best videos, by the weight of the words it shares, then by its place."""
    if not len(words):
        return np.empty(0, np.int64), np.empty(0)
    postings = [index.entries[index.starts[word] : index.starts[word + 1]] for word in words]
    weights = np.repeat(index.weights[words], [len(found) for found in postings])
    scores = np.bincount(np.concatenate(postings), weights=weights, minlength=len(index.video_rows)).round(9)
    found = np.flatnonzero(scores)
    order = found[np.lexsort((found, -scores[found]))]
    _, first = np.unique(index.video_rows[order], return_index=True)
    best = order[np.sort(first)[:most]]
    return best, scores[best]


def _words_shared_by_captions(index: _Index, words: np.ndarray, entries: np.ndarray) -> list[list[str]]:
    """Return the words that each caption shares."""
    has_word = [np.isin(entries, index.entries[index.starts[word] : index.starts[word + 1]]) for word in words]
    names = index.vocabulary.take(pa.array(words)).to_pylist()
    return [[name for name, has in zip(names, has_word, strict=True) if has[place]] for place in range(len(entries))]
