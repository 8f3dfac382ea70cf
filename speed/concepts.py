"""Speed of finding what captions state, against spaCy's `nlp.pipe` with all its pipes, and of comparing statements.

    python speed/concepts.py --captions 4000 --compared 200000

The same captions, distinct ones, in one run and process; model loading is not timed. The statements that are compared
are those of the captions, each once and then again with its words shuffled among those of its slot, so that words stay
as frequent as they are: what is timed is one job (`statement_search.mine_paired_statements`), whose pairs are those of
equal words.
"""

import argparse

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import spacy
from measuring import CAPTIONS, print_machine, resident_bytes, seconds_of, timed

from cvr_data.core.mapped_rows import mapped_rows_column
from cvr_data.core.model_packages import packaged_file_path
from cvr_data.language.normalise import normalised
from cvr_data.pairs.search import statement_search
from cvr_data.pairs.search.statement_pairs import GROUNDS, NOTHING, statement_pair_blocks, statement_pair_grounds
from cvr_data.pairs.search.statement_tables import (
    STATED,
    Numbered,
    mining_caption_statements,
    mining_structs_column,
    mining_word_rarities,
    number_mining_statements,
    statements_to_pair,
)
from cvr_data.pairs.strategies.concept import Config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", type=int, default=4000)
    parser.add_argument("--compared", type=int, default=200_000, help="Statements of the job that compares.")
    options = parser.parse_args()
    measure(options.captions, options.compared)


def measure(captions: int, size: int = 200_000) -> None:
    """Print how many captions are read in a second, and how many pairs of statements compared."""
    column = pq.read_table(CAPTIONS, columns=["name"]).column("name").cast(pa.string())
    said = normalised(column.take(pa.array(range(0, len(column), max(len(column) // captions, 1)))))
    distinct = sorted({text for text in said.to_pylist() if text})
    language = spacy.load(packaged_file_path("spacy"))
    list(language.pipe(distinct[:10]))
    mining_caption_statements(distinct[:10], {})
    print(f"{len(distinct)} distinct captions")
    print_machine()
    plain_s = seconds_of(lambda: list(language.pipe(distinct)))
    print(f"nlp.pipe, all pipes        {len(distinct) / plain_s:10.0f} captions/s")
    ours_s, told = timed(lambda: mining_caption_statements(distinct, {}))
    print(f"statements                 {len(distinct) / ours_s:10.0f} captions/s   {plain_s / ours_s:.1f}x")
    compare(distinct, told, size)


def compare(captions: list[str], told: dict, size: int) -> None:
    """Print how many pairs of statements a job compares in a second."""
    stated, named = zip(*(statements_to_pair([caption], told, 0) for caption in captions), strict=True)
    names, uses = np.unique([each["word"] for words in named for each in words], return_counts=True)
    known = mining_word_rarities(pa.array(names.tolist()), uses, len(captions))
    found = number_mining_statements(mining_structs_column(stated, STATED), *known)
    config = Config()
    search = statement_search.Search(config.limits(), config.max_group)
    sent = _sent(found, known[1], config, size)
    keys = np.sort(sent.column("key").to_numpy())
    starts = np.append(np.flatnonzero(np.append(True, np.diff(keys) != 0)), len(keys))
    pairs = sum(len(ones) for ones, _ in statement_pair_blocks(starts, search.most))
    seconds, made = timed(lambda: statement_search._paired_statements(search, sent, known))
    print(f"statements compared        {pairs / seconds:10.0f} pairs/s      {pairs} pairs, {made.num_rows // 2} found, "
          f"{resident_bytes('VmHWM') / 2**30:.1f} GiB at most")  # fmt: skip


def _sent(found: Numbered, words: object, config: Config, size: int) -> pa.Table:
    """Return statements as they are sent to a job: those that are, then others of the same words."""
    random = np.random.default_rng(0)
    rows = np.resize(np.arange(len(found.video_N)), size)
    words_NS = found.statements.words_NS[rows]
    copies = np.arange(size) // len(found.video_N)
    for copy in range(1, int(copies[-1]) + 1):
        at = np.flatnonzero(copies == copy)
        for slot in range(words_NS.shape[1]):
            filled = at[words_NS[at, slot] != NOTHING]
            words_NS[filled, slot] = words_NS[random.permutation(filled), slot]
    row, column = np.nonzero(statement_pair_grounds(words_NS[:, GROUNDS], words, config.min_rarity))
    word = words_NS[row, np.array(GROUNDS)[column]].astype(np.int64)
    mass, evidence = found.statements.mass_N[rows][row], found.statements.evidence_N[rows][row]
    return pa.table({"key": word * len(GROUNDS) + column, "video": row, "place": np.zeros(len(row), np.int64),
                     "mass": mass, "evidence": evidence, "words": mapped_rows_column(words_NS[row])})  # fmt: skip


if __name__ == "__main__":
    main()
