"""Videos whose captions share the most and rarest content words with the captions of a query's reference and target."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.normalise import WordIds, word_ids
from cvr_data.progress import Progress
from cvr_data.stop_words import WORDS


@dataclass(frozen=True)
class _Index:
    """Which captions have a content word: word w is in `entries[starts[w] : starts[w + 1]]`."""

    starts: np.ndarray
    entries: np.ndarray
    weights: np.ndarray
    """Of each word: the logarithm of how few captions have it."""
    vocabulary: pa.Array
    video_rows: np.ndarray
    """Row in the pool of each caption, rising."""
    captions: pa.Array


def candidates(queries: pa.Table, pool: pa.Table, most: int) -> pa.Table:
    """Return at most `most` videos per query, with the best of their captions and the words it shares.

    `has_target_words` says whether those are all content words of the target's caption.

    Args:
        queries: triplets; of several of one query, the first says what the query is about.
        pool: videos sorted by their ids, which makes the result independent of their order.
        most: videos per query.
    """
    index = _index(pool)
    _, first = np.unique(queries.column("query_id").to_numpy(), return_index=True)
    asked = queries.take(pa.array(first)).select(
        ["query_id", "reference_id", "target_id", "reference_caption", "target_caption"]
    )
    sides = [word_ids(asked.column(f"{side}_caption")) for side in ("reference", "target")]
    known = [_known_words(words, index) for words in sides]
    wanted = _content_words(sides[1])
    rows, entries, shared = [], [], []
    with Progress("find candidates", asked.num_rows, "queries") as progress:
        for query in range(asked.num_rows):
            words = np.unique(np.concatenate([side[query] for side in known]))
            best = _best_captions(index, words, most)
            rows.append(np.full(len(best), query))
            entries.append(best)
            shared += _shared(index, words, best)
            progress.advance(1)
    chosen = np.concatenate(entries)
    table = asked.take(pa.array(np.concatenate(rows)))
    videos = pool.take(pa.array(index.video_rows[chosen]))
    table = table.append_column("video_id", videos.column("video_id"))
    table = table.append_column("caption", index.captions.take(pa.array(chosen)))
    table = table.append_column("shared", pa.array(shared, pa.list_(pa.string())))
    has_all = [
        bool(wanted[query]) and wanted[query] <= {*words}
        for query, words in zip(np.concatenate(rows).tolist(), shared, strict=True)
    ]
    return table.append_column("has_target_words", pa.array(has_all, pa.bool_()))


def _index(pool: pa.Table) -> _Index:
    lists = pool.column("captions").combine_chunks()
    captions = pc.list_flatten(lists)
    words = word_ids(captions)
    entry_of_word = np.repeat(np.arange(len(captions)), np.diff(words.offsets))
    size = max(len(captions), 1)
    uses = np.unique(words.ids.astype(np.int64) * size + entry_of_word)
    word, entries = uses // size, uses % size
    is_content = ~pc.is_in(words.vocabulary, pa.array(WORDS)).to_numpy(zero_copy_only=False)
    entries, word = entries[is_content[word]], word[is_content[word]]
    starts = np.searchsorted(word, np.arange(len(words.vocabulary) + 1))
    return _Index(
        starts=starts,
        entries=entries,
        weights=np.log(size / np.maximum(np.diff(starts), 1)) + 1e-9,
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


def _content_words(words: WordIds) -> list[set[str]]:
    names = words.vocabulary.to_pylist()
    bounds = zip(words.offsets[:-1].tolist(), words.offsets[1:].tolist(), strict=True)
    return [{names[word] for word in words.ids[start:end]} - {*WORDS} for start, end in bounds]


def _best_captions(index: _Index, words: np.ndarray, most: int) -> np.ndarray:
    """Return the best caption of each of the best videos, by the weight of the words it shares, then by its place."""
    if not len(words):
        return np.empty(0, np.int64)
    postings = [index.entries[index.starts[word] : index.starts[word + 1]] for word in words]
    weights = np.repeat(index.weights[words], [len(found) for found in postings])
    scores = np.bincount(np.concatenate(postings), weights=weights, minlength=len(index.video_rows))
    found = np.flatnonzero(scores)
    order = found[np.lexsort((found, -scores[found].round(9)))]
    _, first = np.unique(index.video_rows[order], return_index=True)
    return order[np.sort(first)[:most]]


def _shared(index: _Index, words: np.ndarray, entries: np.ndarray) -> list[list[str]]:
    """Return the words that each caption shares."""
    has_word = [np.isin(entries, index.entries[index.starts[word] : index.starts[word + 1]]) for word in words]
    names = index.vocabulary.take(pa.array(words)).to_pylist()
    return [[name for name, has in zip(names, has_word, strict=True) if has[place]] for place in range(len(entries))]
