"""Steps that a spawned worker can import: one of each shape, and some that are wrong."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark, with_column
from cvr_data.core.parts import Bucket, hash_bucket_keys, read_artifact_bucket
from cvr_data.core.stages import ClaimStep, KeyedStep, Step

ROWS = pa.schema([pa.field("row_id", pa.string(), nullable=False), ("word", pa.string()), ("other", pa.string())])


@dataclass(frozen=True, kw_only=True)
class Config:
    most: int = 2
    marker: Path | None = None
    """Where it is and no file stands there, the process is killed."""


def drop_long(config, part):
    return mark(part, pc.greater(pc.utf8_length(part.column("word")), 2), "long_word")


def count_letters(config, part, letters):
    numbers = [letters.get(word[:1], 0) for word in part.column("word").to_pylist()]
    return with_column(part, "letter_rows", pa.array(numbers, pa.int64()))


def letters_of(config, part):
    return part.select(["word"])


def load_letters(bucket: Bucket):
    words = pa.concat_tables(read_artifact_bucket(bucket)).column("word").to_pylist()
    return {letter: sum(word.startswith(letter) for word in words) for letter in {word[:1] for word in words}}


def word_key(config, part):
    return hash_bucket_keys(part.column("word"))


def drop_repeated(config, bucket):
    """Drop all rows of a word but the one with the lowest id."""
    order = pc.sort_indices(bucket, [("word", "ascending"), ("row_id", "ascending")]).to_numpy()
    words = bucket.column("word").take(pa.array(order)).to_pylist()
    is_repeated = np.zeros(bucket.num_rows, bool)
    is_repeated[order] = [place > 0 and words[place - 1] == word for place, word in enumerate(words)]
    return mark(bucket, pa.array(is_repeated), "repeated_word")


def both_words(config, part):
    """Claim for each row under both of its words."""
    rows = np.arange(part.num_rows, dtype=np.uint32)
    keys = [hash_bucket_keys(part.column(name)) for name in ("word", "other")]
    ids = pa.concat_arrays([part.column("row_id").combine_chunks()] * 2)
    return pa.table({"key": np.concatenate(keys), "row": np.concatenate([rows, rows]), "row_id": ids})


def beyond_most(config, claims):
    """Return the claims that so many of a lower id come before."""
    order = pc.sort_indices(claims, [("key", "ascending"), ("row_id", "ascending")])
    claims = claims.take(order)
    keys = claims.column("key").to_numpy()
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
    place = np.arange(len(keys)) - np.repeat(starts, np.diff(np.append(starts, len(keys))))
    return claims.filter(pa.array(place >= config.most))


def drop_beyond(config, part, settled):
    is_beyond = np.isin(np.arange(part.num_rows), settled.column("row").to_numpy())
    return mark(part, pa.array(is_beyond), "cap")


def lose_one(config, part):
    return part.slice(1)


def die_once(config, part):
    if not config.marker.exists():
        config.marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return part


def fill_the_disk(config, part):
    raise OSError(28, "No space left on device")


LONG = Step(name="long", run=drop_long)
REPEATED = KeyedStep(name="repeated", run=drop_repeated, key=word_key, bucket_values=7)
CAPPED = ClaimStep(name="capped", config=Config(), run=drop_beyond, claims=both_words, settle=beyond_most, per_value=2)
