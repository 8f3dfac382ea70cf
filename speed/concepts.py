"""Speed of finding the concepts of captions, against spaCy's `nlp.pipe` with all its pipes.

    python speed/concepts.py --data ../shared/data --captions 4000

The same captions, distinct ones and repeated as in the corpus, in one run and process; model loading is not timed.
"""

import argparse
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import spacy
from measuring import print_machine, seconds_of

from cvr_data.core.model_packages import model_path
from cvr_data.language.normalise import normalised
from cvr_data.pairs.search import concept_mentions

CAPTIONS = Path("captions/captions.parquet")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="Folder of real annotation files.")
    parser.add_argument("--captions", type=int, default=4000)
    options = parser.parse_args()
    column = pq.read_table(options.data / CAPTIONS, columns=["name"]).column("name").cast(pa.string())
    said = normalised(column.take(pa.array(range(0, len(column), max(len(column) // options.captions, 1)))))
    texts = [text for text in said.to_pylist() if text]
    distinct = sorted(set(texts))
    language = spacy.load(model_path("spacy"))
    list(language.pipe(distinct[:10]))
    concept_mentions.mentions(distinct[:10])
    print(f"{len(texts)} captions, {len(distinct)} distinct")
    print_machine()
    plain_s = seconds_of(lambda: list(language.pipe(texts)))
    print(f"nlp.pipe, all pipes        {len(texts) / plain_s:8.0f} captions/s")
    ours_s = seconds_of(lambda: list(concept_mentions.mentions_of_all(distinct)))
    print(f"concepts                   {len(texts) / ours_s:8.0f} captions/s   {plain_s / ours_s:.1f}x")


if __name__ == "__main__":
    main()
