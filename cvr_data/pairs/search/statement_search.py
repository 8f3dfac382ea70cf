"""Steps that find pairs of statements: each is sent to where others with one of its specific words are, and compared.

A word that very many statements have says little, and is where most comparisons would be made: where more than a given
number meet, they are sorted by what else they say and compared with those near them only.
"""

# Shapes: N statements, P pairs, S slots, G columns of `GROUNDS`.

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.columns import whole_column
from cvr_data.core.mapped_rows import MappedRows, mapped_rows_array, mapped_rows_column
from cvr_data.core.parts import mix_hash_bits
from cvr_data.core.runner import Flow, StageRun
from cvr_data.core.stages import KeyedStep, Side, Step
from cvr_data.pairs.search.statement_pairs import (
    GROUNDS,
    Limits,
    Statements,
    Words,
    compare_statement_pairs,
    statement_pair_blocks,
    statement_pair_grounds,
)
from cvr_data.pairs.search.statement_tables import number_mining_statements

VIDEOS = 16_384
"""Videos of a job that sends their statements to others."""
STATEMENTS = 200_000
"""Statements of a job that compares them."""
FOUND = pa.schema(
    [("reference", pa.int64()), ("target", pa.int64()), ("reference_place", pa.int32()), ("target_place", pa.int32()),
     ("ground", pa.float32()), ("mass", pa.float32())]
)  # fmt: skip


@dataclass(frozen=True)
class Search:
    """What is compared, and what is a pair."""

    limits: Limits
    most: int
    """Statements that are compared with each other because they have one word in common."""


@dataclass(frozen=True)
class _Blocks:
    search: Search
    total: int


def mine_paired_statements(run: StageRun, videos: Side, total: int, words: Side, search: Search) -> Flow:
    """Return `FOUND` in both directions: numbers of videos and of their statements, and what they have in common.

    Two statements that have several specific words in common may be there several times.

    Args:
        run: of the stage that asks.
        videos: `MappedRows` with `stated`.
        total: how many.
        words: of `statement_tables.load_mining_words`.
        search: what is asked.
    """
    blocks = run.made("blocks", lambda: (pa.table({"start": [start]}) for start in range(0, max(total, 1), VIDEOS)))
    about: dict[str, Any] = {"makes_rows": True, "is_counted": False}
    index = Step(name="index", run=_sent, config=_Blocks(search, total), sides=(videos, words), **about)
    meet = KeyedStep(
        name="compare", run=_paired, key=_by_word, config=search, sides=(words,), bucket_values=STATEMENTS, **about
    )
    return blocks.then(index).then(meet)


def _sent(about: _Blocks, block: pa.Table, videos: MappedRows, words: tuple[pa.Array, Words]) -> pa.Table:
    """Return each statement of some videos once for every specific word of it."""
    start = block.column("start").to_pylist()[0]
    numbers = np.arange(start, min(start + VIDEOS, about.total))
    found = number_mining_statements(whole_column(videos.take(numbers, ["stated"]).column("stated")), *words)
    evidence_N = found.statements.evidence_N
    assert evidence_N is not None
    is_ground_NG = statement_pair_grounds(found.statements.words_NS[:, GROUNDS], words[1], about.search.limits.rarity)
    row, column = np.nonzero(is_ground_NG)
    word = found.statements.words_NS[row, np.array(GROUNDS)[column]].astype(np.int64)
    return pa.table(
        {
            "key": word * len(GROUNDS) + column, "video": numbers[found.video_N[row]], "place": found.place_N[row],
            "mass": found.statements.mass_N[row], "evidence": evidence_N[row],
            "words": mapped_rows_column(found.statements.words_NS[row]),
        }
    )  # fmt: skip


def _by_word(search: Search, sent: pa.Table) -> np.ndarray:
    return mix_hash_bits(sent.column("key").to_numpy().astype(np.uint64))


def _paired(search: Search, sent: pa.Table, words: tuple[pa.Array, Words]) -> pa.Table:
    """Return the pairs of the statements that have a word in common."""
    if not sent.num_rows:
        return FOUND.empty_table()
    names = ("key", "video", "place", "mass", "evidence")
    key, video, place, mass, evidence = (sent.column(name).to_numpy() for name in names)
    words_NS = mapped_rows_array(sent.column("words"))
    order = np.lexsort((place, video, *words_NS[:, :6].T[::-1], key))
    key, video, place = key[order], video[order], place[order]
    statements = Statements(words_NS[order], mass[order], evidence[order])
    starts = np.append(np.flatnonzero(np.append(True, np.diff(key) != 0)), len(key))
    tables = [
        table
        for ones, others in statement_pair_blocks(starts, search.most)
        for table in _both_ways(search, statements, video, place, (ones, others), words[1])
    ]
    return pa.concat_tables([FOUND.empty_table(), *tables]).combine_chunks()


def _both_ways(
    search: Search, statements: Statements, video: np.ndarray, place: np.ndarray, rows: tuple[np.ndarray, np.ndarray],
    words: Words,
) -> Iterator[pa.Table]:  # fmt: skip
    is_other = video[rows[0]] != video[rows[1]]
    ones, others = rows[0][is_other], rows[1][is_other]
    found = compare_statement_pairs(statements.take(ones), statements.take(others), words, search.limits)
    ones, others = ones[found.rows], others[found.rows]
    for first, second in ((ones, others), (others, ones)) if len(ones) else ():
        columns = (video[first], video[second], place[first], place[second], found.ground_P, found.mass_P)
        yield pa.table(
            {field.name: pa.array(column).cast(field.type) for field, column in zip(FOUND, columns, strict=True)}
        )
