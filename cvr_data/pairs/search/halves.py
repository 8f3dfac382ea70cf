"""Leaves out the videos that one-word can say nothing about, a slice of captions per worker.

Two captions that are equal, or but for one word, have their first or second half in common. A caption neither half of
which any other has is in no pair and in no group, so what is mined without it is the same. Workers normalise the
captions and give 16 bytes for each; only the captions that are left are brought together.
"""

# Shapes: N captions, L words.

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.jobs import mapped_in_order
from cvr_data.core.progress import Progress
from cvr_data.language.normalise import word_ids
from cvr_data.pairs.search.groups import mixed, row_hashes
from cvr_data.tables import VIDEOS

SLICE = 100_000
"""Videos of a job."""


@dataclass(frozen=True)
class Halves:
    """The halves of the captions of a slice."""

    rows: np.ndarray
    """Caption -> its video."""
    hashes_N2: np.ndarray
    """uint64 of the first and the second half, with the length of the caption."""


def sharing_a_half(videos: pa.Table, min_words: int) -> pa.Table:
    """Return the videos that have a caption of which another caption has a half, or that is there twice."""
    captions = videos.column("captions")
    empty = pa.array([], VIDEOS.field("captions").type)
    starts = range(0, len(captions), SLICE)
    # joined with an empty array, which copies: a mere slice would travel with all of its chunk
    jobs = [(pa.concat_arrays([*captions.slice(start, SLICE).chunks, empty]),) for start in starts]
    rows, hashes = [np.empty(0, np.int64)], [np.empty((0, 2), np.uint64)]
    with Progress("find halves", len(captions), "videos") as progress:
        for start, found in zip(starts, mapped_in_order(halves_of, jobs, shared=(min_words,)), strict=True):
            rows.append(start + found.rows)
            hashes.append(found.hashes_N2)
            progress.advance(min(SLICE, len(captions) - start))
    hashes_N2 = np.concatenate(hashes)
    is_kept = np.zeros(len(captions), bool)
    is_kept[np.concatenate(rows)[_is_repeated(hashes_N2[:, 0]) | _is_repeated(hashes_N2[:, 1])]] = True
    return videos.filter(pa.array(is_kept))


def halves_of(min_words: int, captions: pa.ListArray) -> Halves:
    """Return the halves of the captions of at least `min_words` words; a word has one hash in every process."""
    words = word_ids(pc.list_flatten(captions))
    digests = [hashlib.blake2b(word.encode(), digest_size=8).digest() for word in words.vocabulary.to_pylist()]
    hash_of_word = np.frombuffer(b"".join(digests), np.uint64)
    lengths = np.diff(words.offsets)
    hashes_N2 = np.empty((len(lengths), 2), np.uint64)
    for length in np.unique(lengths[lengths >= min_words]).tolist():
        alike = np.flatnonzero(lengths == length)
        hashes_NL = hash_of_word[words.ids[words.offsets[alike][:, None] + np.arange(length)]]
        middle = length // 2
        for side, half in enumerate((hashes_NL[:, :middle], hashes_NL[:, middle:])):
            hashes_N2[alike, side] = mixed(row_hashes(half) + np.uint64(length))
    is_long = lengths >= min_words
    rows = pc.list_parent_indices(captions).to_numpy(zero_copy_only=False)
    return Halves(rows[is_long], hashes_N2[is_long])


def _is_repeated(hashes_N: np.ndarray) -> np.ndarray:
    ordered = np.sort(hashes_N)
    repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    places = np.searchsorted(repeated, hashes_N)
    return np.append(repeated, np.uint64(0))[places] == hashes_N if len(repeated) else np.zeros(len(hashes_N), bool)
