"""Mentions and concepts as columns of tables, and what is counted over all videos: the vocabulary and the foldings."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.mapped_rows import as_vectors, vectors_of
from cvr_data.core.parts import Bucket, bucket_table
from cvr_data.pairs.search.concept_folding import Words, read_synonyms
from cvr_data.pairs.search.concept_mentions import KINDS, Mention
from cvr_data.pairs.search.concept_sets import Concept, ConceptSet, Folding, Named, folding, head_counts, vocabulary_of

MENTION = pa.struct([(name, pa.string()) for name in Mention._fields])
CONCEPT = pa.struct([(name, pa.string()) for name in (*Concept._fields, *Named._fields)])
LEADER = pa.struct([("kind", pa.string()), ("leader", pa.string())])


def as_mentions(by_video: Iterable[Iterable[Mention]]) -> pa.Array:
    """Return the mentions of videos as a column."""
    return pa.array([[each._asdict() for each in mentions] for mentions in by_video], pa.list_(MENTION))


def mentions_in(column: pa.ChunkedArray) -> list[list[Mention]]:
    """Return the mentions of such a column."""
    return [[Mention(**each) for each in mentions] for mentions in column.to_pylist()]


def as_concepts(sets: Iterable[ConceptSet]) -> pa.Array:
    """Return the concepts of videos as a column."""
    rows = [[{**of._asdict(), **named._asdict()} for of, named in concepts.items()] for concepts in sets]
    return pa.array(rows, pa.list_(CONCEPT))


def concepts_in(column: pa.ChunkedArray) -> list[ConceptSet]:
    """Return the concepts of such a column."""
    return [{_of(each, Concept): _of(each, Named) for each in concepts} for concepts in column.to_pylist()]


def _of(values: dict[str, str], kind: Any) -> Any:
    return kind(*(values[name] for name in kind._fields))


def counted_uses(config: Any, videos: pa.Table) -> pa.Table:
    """Return in how many videos of a part each concept is mentioned in which slot and phrase."""
    uses = Counter(mention for mentions in mentions_in(videos.column("mentions")) for mention in mentions)
    return _counts(uses, Mention._fields)


def counted_heads(config: Any, videos: pa.Table) -> pa.Table:
    """Return how often each word is named in a part, by kind."""
    counts = head_counts(mentions_in(videos.column("mentions")))
    return _counts({(kind, word): uses for kind in KINDS for word, uses in counts[kind].items()}, ("kind", "word"))


def together(config: Any, counts: pa.Table) -> np.ndarray:
    """Return the same key for all rows: they are few, and are looked at by one job."""
    return np.zeros(counts.num_rows, np.uint64)


def most_used(most: int, counts: pa.Table) -> pa.Table:
    """Return the concepts that most videos mention, the most frequent first."""
    uses: dict[tuple[str, str], Counter[tuple[str, str]]] = defaultdict(Counter)
    for row in counts.to_pylist():
        uses[row["kind"], row["key"]][row["slot"], row["phrase"]] += row["uses"]
    return pa.Table.from_struct_array(pa.array([each._asdict() for each in vocabulary_of(uses, most)], MENTION))


def load_vocabulary(bucket: Bucket) -> list[Mention]:
    """Return the concepts that lie there."""
    return [Mention(**row) for row in bucket_table(bucket).to_pylist()]


def folded_words(about: tuple[float, Path | None], counts: pa.Table) -> pa.Table:
    """Return each word with its vector, and the words that it stands for itself by, one for each kind it is of."""
    threshold, synonyms = about
    summed: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for row in counts.to_pylist():
        summed[row["kind"]][row["word"]] += row["uses"]
    found = folding(summed, threshold, read_synonyms(synonyms))
    leaders = {
        word: [{"kind": kind, "leader": names[word]} for kind, names in found.leaders.items() if word in names]
        for word in found.words.rows
    }
    columns = {"word": pa.array(found.words.rows, pa.string()), "leaders": pa.array(leaders.values(), pa.list_(LEADER))}
    return pa.table({**columns, "vector": as_vectors(found.words.vectors_ND)})


def load_folding(bucket: Bucket) -> Folding:
    """Return the words that lie there."""
    table = bucket_table(bucket)
    leaders: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    for word, names in zip(table.column("word").to_pylist(), table.column("leaders").to_pylist(), strict=True):
        for name in names:
            leaders[name["kind"]][word] = name["leader"]
    return Folding(Words(table.column("word").combine_chunks(), vectors_of(table.column("vector"))), leaders)


def _counts(uses: Any, names: Sequence[str]) -> pa.Table:
    columns = list(zip(*uses, strict=True)) or [()] * len(names)
    found = {name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)}
    return pa.table({**found, "uses": pa.array(list(uses.values()), pa.int64())})
